/* core/tree.h: the numbers of strings (core/arena.h), in the order of the keys within them.
 *
 * A string starts with the length of its key and the key, as an entry does (core/entry.h). Whoever
 * moves a string says so: the tree keeps numbers, not keys.
 *
 *   I1  Keys ascend strictly through the leaves from left to right.
 *   I2  Every leaf is at the same depth; every node that is neither root nor on the right edge is
 *       at least half full; an inner node has two children or more.
 *   I3  Beside each child stands the first item below it.
 *
 * Nodes that were never needed are not touched.
 */
#pragma once

#include "core/arena.h"

#include <stdbool.h>

#define GVS_TREE_LEAF_MAX 126 /* items of a leaf */
#define GVS_TREE_INNER_MAX 63 /* children of an inner node */
#define GVS_TREE_DEPTH_MAX 24 /* enough for nodes of four */

struct gvs_tree_node { /* 512 bytes */
    uint32_t count;
    union {
        uint32_t item[GVS_TREE_LEAF_MAX + 1];
        struct {
            uint32_t first[GVS_TREE_INNER_MAX]; /* the least item below each child */
            uint32_t child[GVS_TREE_INNER_MAX]; /* numbers of nodes; child[0] links free nodes */
        };
    };
};

struct gvs_tree {
    const struct gvs_arena *arena; /* borrowed */
    struct gvs_tree_node *node;    /* borrowed; number 0 is none */
    uint32_t nodes, top, free;    /* of node: how many, the first never used, the first of a list */
    uint32_t root, depth;         /* depth 1: the root is a leaf */
    uint32_t leaf_max, inner_max; /* a test makes them small after init: 2 and 4 at the least */
};

/* A place in the tree: in each node from the root to a leaf, the child or item. Good until the tree
 * changes. */
struct gvs_tree_path {
    struct {
        uint32_t node, at;
    } step[GVS_TREE_DEPTH_MAX];
};

size_t gvs_tree_footprint(size_t items);

/* `mem` is zeroed, aligned for any type, of the footprint's length, lent for good. */
void gvs_tree_init(struct gvs_tree *t, void *mem, size_t items, const struct gvs_arena *arena);

/* Leads to the item with this key and returns true, or to where it would be inserted. No key
 * (key_len 0) is before all. */
bool gvs_tree_find(const struct gvs_tree *t, const uint8_t *key, size_t key_len,
                   struct gvs_tree_path *p);

/* The item at the place, or the one after the place if it is between two; 0 at the end. */
uint32_t gvs_tree_item(const struct gvs_tree *t, const struct gvs_tree_path *p);

/* To the place after the item that was found. */
void gvs_tree_step(const struct gvs_tree *t, struct gvs_tree_path *p);

/* Inserts at the place where find did not find its key. */
void gvs_tree_insert(struct gvs_tree *t, const struct gvs_tree_path *p, uint32_t item);

/* Removes the item that was found. Its string may be gone already. */
void gvs_tree_remove(struct gvs_tree *t, const struct gvs_tree_path *p);

/* The item that was found has another number from now on, under the same key. */
void gvs_tree_set(struct gvs_tree *t, const struct gvs_tree_path *p, uint32_t item);
