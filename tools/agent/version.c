/* In a file of its own, so that gossipvs, which asks for no more, is linked with no agent, nor with
 * the libraries that one needs. */
#include "tools/agent/gossipvs.h"

const char *
gvs_version(void)
{
    return GVS_VERSION;
}
