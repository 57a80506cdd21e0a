/* core/tree.c: a B+tree of 32-bit items in nodes of 512 bytes.
 *
 * Leaves hold items, inner nodes children, and beside each child the first item below it: so a
 * search compares with one key in each step, and a node looks the same to it on every level. Keys
 * stand in the arena; comparing one costs a cache line there, and a tree of a million compares
 * twenty, of which the upper ones are in the cache. Storing the keys' beginnings in the nodes
 * would save half of that and cost eight bytes an item: keys of one service differ late.
 *
 * Insertion splits a full node in the middle, so that random keys leave nodes 69 % full (ln 2), or
 * 5.8 bytes an item. A key at the very end splits off a node of its own instead: keys that come in
 * ascending order, as from a scan of another table, leave full nodes. Only nodes on the right edge
 * can be less than half full by that, and they are filled before another follows. An inner node
 * split there keeps two children, for whoever mends a child has to find a neighbour.
 *
 * Removal mends a node that is less than half full with the help of a neighbour under the same
 * parent: if both fit into one they become one, else they share evenly. Both can only lower the
 * parent's count by one, so mending goes up once, and each level has at most one merge. Whatever
 * an item at the beginning of a leaf changes is told to the parents on the way (I3).
 *
 * At worst all nodes are half full: that many are in the block, and an insertion never fails.
 */
#include "core/tree.h"
#include "core/key.h"

#include <string.h>

#define LEAF_MIN (GVS_TREE_LEAF_MAX / 2)
#define INNER_MIN (GVS_TREE_INNER_MAX / 2)

_Static_assert(sizeof(struct gvs_tree_node) == 512, "a node is eight cache lines");

static struct gvs_tree_node *
node_at(const struct gvs_tree *t, uint32_t n)
{
    GVS_ASSERT(n > 0 && n < t->top);
    return &t->node[n];
}

static bool
is_leaf(const struct gvs_tree *t, uint32_t level)
{
    return level + 1 == t->depth;
}

static uint32_t
count_max(const struct gvs_tree *t, uint32_t level)
{
    return is_leaf(t, level) ? t->leaf_max : t->inner_max;
}

/* --- the block --- */

/* Half full nodes of every level, one on the right edge, a new root. */
static size_t
nodes_for(size_t items)
{
    size_t level = items / LEAF_MIN + 2, nodes = 1 + level;

    while (level > 2) {
        level = level / INNER_MIN + 2;
        nodes += level;
    }
    return nodes + 1;
}

size_t
gvs_tree_footprint(size_t items)
{
    return nodes_for(items) * sizeof(struct gvs_tree_node);
}

static uint32_t
node_new(struct gvs_tree *t)
{
    uint32_t n = t->free;

    if (n != 0) {
        t->free = t->node[n].child[0];
        return n;
    }
    GVS_ASSERT(t->top < t->nodes);
    return t->top++;
}

static void
node_free(struct gvs_tree *t, uint32_t n)
{
    t->node[n].count = 0;
    t->node[n].child[0] = t->free;
    t->free = n;
}

void
gvs_tree_init(struct gvs_tree *t, void *mem, size_t items, const struct gvs_arena *arena)
{
    GVS_ASSERT(mem && arena && nodes_for(items) < UINT32_MAX);
    *t = (struct gvs_tree){.arena = arena,
                           .node = mem,
                           .nodes = (uint32_t)nodes_for(items),
                           .top = 1,
                           .depth = 1,
                           .leaf_max = GVS_TREE_LEAF_MAX,
                           .inner_max = GVS_TREE_INNER_MAX};
    t->root = node_new(t);
}

/* --- search --- */

static int
compare(const struct gvs_tree *t, uint32_t item, const uint8_t *key, size_t key_len)
{
    const uint8_t *b = gvs_arena_get(t->arena, item);

    return gvs_key_cmp(b + 1, b[0], key, key_len);
}

/* One of the next two comparisons is with this: let its bytes come while the present one waits. */
static void
fetch(const struct gvs_tree *t, uint32_t item)
{
    __builtin_prefetch(gvs_arena_get(t->arena, item));
}

/* How many items of the node, from `first` on, are below the key; with `or_equal`, or have it. */
static uint32_t
count_below(const struct gvs_tree *t, const struct gvs_tree_node *n, uint32_t first, bool or_equal,
            const uint8_t *key, size_t key_len)
{
    uint32_t end = n->count;

    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        int sign;

        fetch(t, n->item[first + (middle - first) / 2]);
        fetch(t, n->item[middle + (end - middle) / 2]);
        sign = compare(t, n->item[middle], key, key_len);

        if (sign < 0 || (or_equal && sign == 0))
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

bool
gvs_tree_find(const struct gvs_tree *t, const uint8_t *key, size_t key_len, struct gvs_tree_path *p)
{
    uint32_t n = t->root, at;

    GVS_ASSERT(t->depth <= GVS_TREE_DEPTH_MAX);
    for (uint32_t level = 0; level + 1 < t->depth; level++) {
        const struct gvs_tree_node *inner = node_at(t, n);

        at = count_below(t, inner, 1, true, key, key_len) - 1;
        p->step[level].node = n;
        p->step[level].at = at;
        n = inner->child[at];
    }
    at = count_below(t, node_at(t, n), 0, false, key, key_len);
    p->step[t->depth - 1].node = n;
    p->step[t->depth - 1].at = at;
    return at < node_at(t, n)->count && compare(t, node_at(t, n)->item[at], key, key_len) == 0;
}

uint32_t
gvs_tree_item(const struct gvs_tree *t, const struct gvs_tree_path *p)
{
    const struct gvs_tree_node *n;
    uint32_t level = t->depth - 1;

    n = node_at(t, p->step[level].node);
    if (p->step[level].at < n->count)
        return n->item[p->step[level].at];
    while (level-- > 0) { /* the first item of the next leaf, which a parent knows (I3) */
        n = node_at(t, p->step[level].node);
        if (p->step[level].at + 1 < n->count)
            return n->first[p->step[level].at + 1];
    }
    return 0;
}

void
gvs_tree_step(const struct gvs_tree *t, struct gvs_tree_path *p)
{
    GVS_ASSERT(p->step[t->depth - 1].at < node_at(t, p->step[t->depth - 1].node)->count);
    p->step[t->depth - 1].at++;
}

/* --- change --- */

/* Moves `count` items, and children of inner nodes, between or within nodes. */
static void
copy(const struct gvs_tree *t, uint32_t level, struct gvs_tree_node *to, uint32_t to_at,
     const struct gvs_tree_node *from, uint32_t from_at, uint32_t count)
{
    memmove(to->item + to_at, from->item + from_at, count * sizeof *to->item);
    if (!is_leaf(t, level))
        memmove(to->child + to_at, from->child + from_at, count * sizeof *to->child);
}

static void
put(const struct gvs_tree *t, uint32_t level, struct gvs_tree_node *n, uint32_t at, uint32_t item,
    uint32_t child)
{
    GVS_ASSERT(at <= n->count && n->count < count_max(t, level));
    copy(t, level, n, at + 1, n, at, n->count - at);
    n->item[at] = item;
    if (!is_leaf(t, level))
        n->child[at] = child;
    n->count++;
}

static void
cut(const struct gvs_tree *t, uint32_t level, struct gvs_tree_node *n, uint32_t at)
{
    GVS_ASSERT(at < n->count);
    n->count--;
    copy(t, level, n, at, n, at + 1, n->count - at);
}

/* The place has another first item: so it has for all parents whose first child leads to it. */
static void
tell_parents(struct gvs_tree *t, const struct gvs_tree_path *p, uint32_t item)
{
    for (uint32_t level = t->depth - 1; level > 0 && p->step[level].at == 0; level--)
        node_at(t, p->step[level - 1].node)->first[p->step[level - 1].at] = item;
}

/* Is the place behind everything? */
static bool
at_end(const struct gvs_tree *t, const struct gvs_tree_path *p)
{
    uint32_t leaf = t->depth - 1;

    for (uint32_t level = 0; level < leaf; level++) {
        if (p->step[level].at + 1 < node_at(t, p->step[level].node)->count)
            return false;
    }
    return p->step[leaf].at == node_at(t, p->step[leaf].node)->count;
}

/* Puts an item into a full node, of which only the first `keep` items stay. Returns the new node
 * behind it, which takes the others. */
static uint32_t
split(struct gvs_tree *t, uint32_t level, struct gvs_tree_node *left, uint32_t keep, uint32_t at,
      uint32_t item, uint32_t child)
{
    uint32_t n = node_new(t);
    struct gvs_tree_node *right = node_at(t, n);

    right->count = left->count - keep;
    copy(t, level, right, 0, left, keep, right->count);
    left->count = keep;
    if (at < keep)
        put(t, level, left, at, item, child);
    else
        put(t, level, right, at - keep, item, child);
    return n;
}

static void
grow_root(struct gvs_tree *t, uint32_t right)
{
    uint32_t n = node_new(t);
    struct gvs_tree_node *root = node_at(t, n);

    GVS_ASSERT(t->depth < GVS_TREE_DEPTH_MAX);
    root->count = 2;
    root->first[0] = node_at(t, t->root)->item[0];
    root->child[0] = t->root;
    root->first[1] = node_at(t, right)->item[0];
    root->child[1] = right;
    t->root = n;
    t->depth++;
}

void
gvs_tree_insert(struct gvs_tree *t, const struct gvs_tree_path *p, uint32_t item)
{
    bool end = at_end(t, p);
    uint32_t child = 0;

    tell_parents(t, p, item);
    for (uint32_t level = t->depth; level-- > 0;) {
        struct gvs_tree_node *n = node_at(t, p->step[level].node);
        uint32_t max = count_max(t, level), keep = max / 2, at = p->step[level].at;

        if (!is_leaf(t, level))
            at++; /* behind the child that was split */
        if (n->count < max) {
            put(t, level, n, at, item, child);
            return;
        }
        if (end)
            keep = is_leaf(t, level) ? max : max - 1;
        child = split(t, level, n, keep, at, item, child);
        item = node_at(t, child)->item[0];
    }
    grow_root(t, child);
}

/* The node has room for all of the next, child `at` + 1 of the parent, which goes. */
static void
merge(struct gvs_tree *t, uint32_t level, struct gvs_tree_node *parent, uint32_t at)
{
    uint32_t gone = parent->child[at + 1];
    struct gvs_tree_node *left = node_at(t, parent->child[at]), *right = node_at(t, gone);

    copy(t, level, left, left->count, right, 0, right->count);
    left->count += right->count;
    cut(t, level - 1, parent, at + 1);
    node_free(t, gone);
}

/* The two together have too many for one. */
static void
share(struct gvs_tree *t, uint32_t level, struct gvs_tree_node *left, struct gvs_tree_node *right)
{
    uint32_t half = (left->count + right->count) / 2, n;

    if (left->count < half) {
        n = half - left->count;
        copy(t, level, left, left->count, right, 0, n);
        copy(t, level, right, 0, right, n, right->count - n);
        left->count += n;
        right->count -= n;
    } else {
        n = left->count - half;
        copy(t, level, right, n, right, 0, right->count);
        copy(t, level, right, 0, left, half, n);
        left->count -= n;
        right->count += n;
    }
}

/* Child `at` of the parent, on `level`, has too few. */
static void
mend(struct gvs_tree *t, uint32_t level, struct gvs_tree_node *parent, uint32_t at)
{
    struct gvs_tree_node *left, *right;

    GVS_ASSERT(parent->count >= 2); /* I2 */
    if (at > 0)
        at--;
    left = node_at(t, parent->child[at]);
    right = node_at(t, parent->child[at + 1]);
    if (left->count + right->count <= count_max(t, level)) {
        merge(t, level, parent, at);
    } else {
        share(t, level, left, right);
        parent->first[at + 1] = right->item[0];
    }
    parent->first[at] = left->item[0];
}

void
gvs_tree_remove(struct gvs_tree *t, const struct gvs_tree_path *p)
{
    uint32_t leaf = t->depth - 1;

    cut(t, leaf, node_at(t, p->step[leaf].node), p->step[leaf].at);
    for (uint32_t level = leaf; level > 0; level--) {
        struct gvs_tree_node *n = node_at(t, p->step[level].node);
        struct gvs_tree_node *parent = node_at(t, p->step[level - 1].node);
        uint32_t at = p->step[level - 1].at;

        if (n->count < count_max(t, level) / 2)
            mend(t, level, parent, at);
        else
            parent->first[at] = n->item[0]; /* I3 */
    }
    if (t->depth > 1 && node_at(t, t->root)->count == 1) {
        uint32_t old = t->root;

        t->root = node_at(t, old)->child[0];
        t->depth--;
        node_free(t, old);
    }
}

void
gvs_tree_set(struct gvs_tree *t, const struct gvs_tree_path *p, uint32_t item)
{
    uint32_t leaf = t->depth - 1;
    struct gvs_tree_node *n = node_at(t, p->step[leaf].node);

    GVS_ASSERT(p->step[leaf].at < n->count);
    n->item[p->step[leaf].at] = item;
    tell_parents(t, p, item);
}
