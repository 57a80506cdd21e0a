# test/lib/mutants.sh: which planted errors are tried now. Sourced by the scripts test/*/mutants*.
#
# All of them, unless GVS_MUTANTS says that one in so many will do; which ones then depends on the
# day, so that each has its turn.
mutants_seen=0
mutants_day=$(date +%j | sed 's/^0*//')

mutant_has_turn() {
    mutants_seen=$((mutants_seen + 1))
    [ $(((mutants_seen + mutants_day) % ${GVS_MUTANTS:-1})) = 0 ]
}
