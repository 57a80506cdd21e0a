#include "net/admission.h"

static bool
lists(const struct gvs_id *list, size_t count, const struct gvs_id *id)
{
    for (size_t i = 0; i < count; i++)
        if (gvs_id_cmp(&list[i], id) == 0)
            return true;
    return false;
}

bool
gvs_admission_admits(const struct gvs_admission *a, const struct gvs_id *id)
{
    return !lists(a->deny, a->deny_count, id) &&
           (!a->listed_only || lists(a->allow, a->allow_count, id));
}
