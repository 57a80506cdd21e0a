# tools/lib/setup.sh: from a fresh clone to a build. Sourced, by sh, from the top of the tree:
#
#   gvs_setup [LIST]          install what docs/packages.txt, or LIST, names and this machine lacks
#   gvs_build PRESET [ARG...] configure and build a preset of CMakePresets.json; ARGs go to
#                             `cmake --build`
#
# Both say nothing they need not say and return non-zero after one line on stderr. With every
# package in place gvs_setup neither prints nor touches the network.

gvs_missing()
{
    sed 's/#.*//' "$1" | while read -r name; do
        [ -n "$name" ] || continue
        # A removed package whose configuration is left has a status too, only another one.
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            echo "$name"
    done
}

# A subshell, so that its trap is its own: a policy of ours must not outlive the installation.
gvs_install()
(
    policy=/usr/sbin/policy-rc.d

    # Installing redis-server starts it, which is not what somebody asked for who wants to run
    # the tests. An administrator's own policy stays in force, whatever it says.
    if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 129' HUP
        trap 'exit 130' INT
        trap 'exit 143' TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" || exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    # Somebody else may install something just now.
    apt-get update -q &&
        apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "$@"
)

gvs_setup()
{
    gvs_lacking=$(gvs_missing "${1:-docs/packages.txt}" | tr '\n' ' ')
    gvs_lacking=${gvs_lacking% }
    [ -n "$gvs_lacking" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "setup: must be root to install: $gvs_lacking" >&2
        return 1
    fi
    echo "setup: installing the missing packages: $gvs_lacking"
    # shellcheck disable=SC2086 # a list of names
    gvs_install $gvs_lacking && return 0
    echo "setup: the packages could not be installed" >&2
    return 1
}

gvs_build()
{
    gvs_preset=$1
    shift
    cmake --preset "$gvs_preset" && cmake --build --preset "$gvs_preset" "$@" && return 0
    echo "setup: the $gvs_preset build failed" >&2
    return 1
}
