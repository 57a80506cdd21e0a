/* tools/agent/hide.h: whose claims are hidden, from what this node has seen of the members.
 *
 *     there --- the table says dead, our own probe failed too ---> gone --- 15 s ---> silent
 *       ^                                                            |                   |
 *       +------------------------- alive again ---------------------+-------------------+
 *
 * What a stage means for a backend is core/view.h's affair. Who was dead already when this process
 * began stays silent until he is heard or the table says otherwise: a restart is no news. But that
 * is the disk's word, and perhaps a rumour: until our own probe has failed, too, and for as long
 * after it as anybody else would be spared, nothing that the kernel still has of him may be removed
 * (`unproven`). If over half of the members vanish
 * within 10 s it is we who are cut off, more likely than not, or a switch that comes back: those
 * wait 30 s. They do not all go at the same moment: as long as enough others are in doubt (suspect,
 * or dead to the table only) to make it over half, the first of them wait, too.
 *
 *   I1  Owners ascend by id, and none of them is THERE.
 *   I2  Nothing here depends on how often it is asked.
 */
#pragma once

#include "core/view.h"
#include "net/node.h"

#define GVS_HIDE_SILENT_MS 15000
#define GVS_HIDE_MASS_MS 10000
#define GVS_HIDE_HOLD_MS 30000

struct gvs_hide {
    size_t max; /* members */
    struct gvs_view_owner *owners;
    size_t count;
    struct gvs_id *changed; /* whose stage changed since the caller last set changed_count to 0 */
    size_t changed_count;
    bool unproven; /* some are silent by the disk's word alone */

    /* Private. */
    struct gvs_view_owner *before;
    struct gvs_id *known_dead; /* ascending: dead ever since before this process, never heard */
    size_t known_dead_count;
    bool unsure; /* over half might be going, as far as can be told yet */
    bool holding;
    struct gvs_mono hold_from, hold_until; /* who went in between waits until its end */
};

/* False if memory is short. */
bool gvs_hide_open(struct gvs_hide *h, size_t members_max);
void gvs_hide_close(struct gvs_hide *h);

/* Before the node starts: who is dead in the table from the disk. `m` as gvs_node_list gives it. */
void gvs_hide_begin(struct gvs_hide *h, const struct gvs_node_member *m, size_t count);

/* Brings the stages up to date. Returns when one changes next if nothing else happens. */
struct gvs_mono gvs_hide_update(struct gvs_hide *h, const struct gvs_node_member *m, size_t count,
                                struct gvs_mono now);
