# tools/lib/stages.sh: run jobs, count what they prove. Sourced, by sh, from the top of the tree
# by tools/check and tools/soak, after tools/lib/setup.sh.
#
# A job is a function job_NAME, or job_NAME ARG for the name NAME/ARG. It writes a line `ok FACT`
# or `not ok FACT` to descriptor 3 for each fact it tried, and whatever explains them to stdout.
# A job that proves nothing, or fails without saying what, is a failure itself: what did not
# run did not pass. A line `# WHY` after `not ok FACT` is shown with it.
#
# The caller sets
#   gvs_out           where the logs go; emptied first
#   gvs_workers       how many jobs run at a time
#   gvs_kernel        the preset that the tests in the virtual machine use
#   gvs_limit         seconds that one test may take, a unit test or one in the virtual machine
#   gvs_unit          a pattern of the unit tests that run without sanitizers; empty: all
#   gvs_unit_seeds    GVS_SEEDS for them
#   gvs_asan_options  ASAN_OPTIONS for the unit tests under sanitizers
#   gvs_asan_seeds    GVS_SEEDS for the unit tests under sanitizers
#   gvs_asan_not      a pattern of the unit tests that do not run under sanitizers; may be empty
#   gvs_clang_builds  not empty: clang builds everything; empty: clang-tidy only reads it
#   gvs_tidy_nodes    how far clang's analyzer follows one function
#   gvs_tidy_not      a pattern of the sources that clang-tidy leaves out; may be empty
#   gvs_mutants       a pattern of the scripts that plant errors for the unit tests
#   gvs_sim           which seeds the simulator runs
#   gvs_sim_mutants   one in so many of the errors is planted that it has to find; 1: all

# tell NAME STATUS FILE: what a program that prints `ok` lines has proven.
tell()
{
    awk -v name="$1" '
        /^# / { if (bad) print substr($0, 1, 1000); next }
        !/^(not )?ok / { bad = 0; next }
        { bad = /^not/; sub(/^(not )?ok /, "&" name ": "); print }' "$3" >&3
    if ! grep -q '^\(not \)\?ok ' "$3"; then
        echo "not ok $1: nothing ran, status $2" >&3
    elif [ "$2" != 0 ] && ! grep -q '^not ok ' "$3"; then
        echo "not ok $1: status $2" >&3
    fi
}

# try FACT COMMAND...
try()
{
    fact=$1
    shift
    if "$@"; then
        echo "ok $fact" >&3
    else
        echo "not ok $fact" >&3
        return 1
    fi
}

# Two jobs may want the same build. The second waits, and then has nothing to do.
build()
{
    mkdir -p build
    (flock 8 && gvs_build "$@" 8>&-) 8>"build/.$1.lock"
}

# need PRESET [OPTION...]: a build that another job counts, or that proves nothing by itself.
need()
{
    build "$@" && return
    echo "not ok build $1" >&3
    return 1
}

# ctests PRESET [OPTION...]: each cmocka case counts for itself.
ctests()
{
    preset=$1
    shift
    junit=$PWD/$(mktemp -p "$gvs_out" "ctest-$preset.XXXX.xml") || return
    CMOCKA_MESSAGE_OUTPUT=TAP ctest --test-dir "build/$preset" -j 2 --timeout "$gvs_limit" \
        --no-tests=error --output-on-failure --test-output-size-passed 100000000 \
        --test-output-size-failed 100000000 --output-junit "$junit" "$@"
    python3 tools/lib/cases "$preset" "$junit" >&3
}

# shellcheck disable=SC2154 # the caller's
job_asan()
{
    try "build with AddressSanitizer" build asan ${gvs_asan_not:+--target tests} || return
    GVS_SEEDS=$gvs_asan_seeds ASAN_OPTIONS=strict_string_checks=1:$gvs_asan_options \
        UBSAN_OPTIONS=print_stacktrace=1 ctests asan -L unit ${gvs_asan_not:+-E "$gvs_asan_not"}
}

# clang-tidy says what clang would; that what clang builds also links is for the soak.
# shellcheck disable=SC2154 # the caller's
job_clang()
{
    if [ -n "$gvs_clang_builds" ]; then
        try "build with clang" build clang || return
    else
        try "configure with clang" cmake --preset clang || return
    fi
    # One output a file: two run at a time.
    # shellcheck disable=SC2016 # for the inner shell
    jq -r '.[].file' build/clang/compile_commands.json | sed "s|^$PWD/||" | sort -u |
        grep -vE "${gvs_tidy_not:-^$}" |
        xargs -P 2 -I {} sh -c '
            if said=$(clang-tidy -p build/clang --quiet --extra-arg=-Xclang \
                    --extra-arg=-analyzer-config --extra-arg=-Xclang \
                    --extra-arg=max-nodes="$1" "$2" 2>&1); then
                echo "ok clang-tidy $2" >&3
            else
                printf "%s\n" "$said"
                echo "not ok clang-tidy $2" >&3
            fi' sh "$gvs_tidy_nodes" {}
}

job_unit()
{
    try "build release with gcc" build release ${gvs_unit:+--target programs} || return
    GVS_SEEDS=$gvs_unit_seeds ctests release -LE mutants ${gvs_unit:+-R "$gvs_unit"}
    ctests release -R "^($gvs_mutants)\$"
}

# job_sim [SECONDS]: the seeds of gvs_sim, or as many others as that time allows. A seed that fails
# is in the log, with the command that repeats it.
job_sim()
{
    need release --target programs || return
    if [ $# -gt 0 ]; then
        set -- --seeds 10000..1000000000 --seconds "$1"
    else
        # shellcheck disable=SC2086 # options
        set -- $gvs_sim
        try "planted errors are found" env GVS_MUTANTS="$gvs_sim_mutants" \
            GVS_BIN="$PWD/build/release" test/tools/mutants_sim
    fi
    try "sim $*" build/release/sim "$@" --jobs 2
    # More than have sessions all with all; no seed has so many.
    try "sim --scenario many --nodes 140" build/release/sim --scenario many --nodes 140
}

# What runs in the virtual machine is named by GVS_BIN; what the test prints is kept apart from the
# machine's own.
job_kernel()
{
    if [ "$1" != test_vm ]; then
        need "$gvs_kernel" --target programs || return
        set -- "$1" env GVS_BIN="$PWD/build/$gvs_kernel" test/kernel/vm -m 1G -t "$gvs_limit"
    fi
    name=$1
    shift
    "$@" "test/kernel/$name" >"$gvs_out/$name.out"
    status=$?
    cat "$gvs_out/$name.out"
    tell "$name" $status "$gvs_out/$name.out"
}

# The jobs of the tests in the virtual machine.
kernel_jobs()
{
    for each in test/kernel/t_*; do
        case $each in
        *'*' | *~) ;;
        *) printf 'kernel/%s ' "${each##*/}" ;;
        esac
    done
}

# spent FILE...: the processor's time between two outputs of `times`, in seconds. The wall's says
# more about what else runs.
spent()
{
    awk 'FNR == 2 { gsub(/[ms]/, " "); s = $1 * 60 + $2 + $3 * 60 + $4 - s }
        END { printf "%.0f", s }' "$@"
}

run_job()
{
    log=$gvs_out/$(printf '%s' "$1" | tr / -)
    begin=$(date +%s)
    times >"$log.began"
    case $1 in
    */*) "job_${1%%/*}" "${1#*/}" ;;
    *) "job_$1" ;;
    esac 3>"$log.new" >"$log.log" 2>&1 </dev/null
    status=$?
    if ! grep -q '^\(not \)\?ok ' "$log.new"; then
        echo "not ok $1: nothing ran, status $status" >>"$log.new"
    elif [ $status != 0 ] && ! grep -q '^not ok ' "$log.new"; then
        echo "not ok $1: status $status" >>"$log.new"
    fi
    times >"$log.ended"
    took="$(($(date +%s) - begin)) s, $(spent "$log.began" "$log.ended") s of a processor"
    passed=$(grep -c '^ok ' "$log.new")
    bad=$(grep '^\(not ok\|#\) ' "$log.new")
    # In one piece: another worker prints too.
    if [ -z "$bad" ]; then
        printf '%s: %s passed, %s\n' "$1" "$passed" "$took"
    else
        printf '%s: %s passed, %s failed, %s, see %s\n%s\n' "$1" "$passed" \
            "$(grep -c '^not ok ' "$log.new")" "$took" "$log.log" "$bad"
    fi
    mv "$log.new" "$log.results"
}

# What a worker does: take the next job that nobody has taken.
work()
{
    for job; do
        mkdir "$gvs_out/taken-$(printf '%s' "$job" | tr / -)" 2>/dev/null || continue
        run_job "$job"
    done
}

# run_jobs JOB...: run them and print the sum as the last line. Workers are this same program,
# started as `PROGRAM --work JOB...`, each a process group of its own, so that an interruption
# reaches whatever they have started.
run_jobs()
{
    mkdir -p build
    exec 9>build/.check.lock
    if ! flock -n 9; then
        echo "${0##*/}: another check runs in this tree" >&2
        exit 2
    fi
    rm -rf "$gvs_out"
    mkdir -p "$gvs_out"
    workers=
    trap 'for w in $workers; do kill -TERM "-$w"; done 2>/dev/null; wait; exit 130' HUP INT TERM
    n=0
    while [ $n -lt "$gvs_workers" ]; do
        setsid "$0" --work "$@" 9>&- &
        workers="$workers $!"
        n=$((n + 1))
    done
    wait
    trap - HUP INT TERM
    passed=0
    failed=0
    for job; do
        results=$gvs_out/$(printf '%s' "$job" | tr / -).results
        if [ -f "$results" ]; then
            passed=$((passed + $(grep -c '^ok ' "$results")))
            failed=$((failed + $(grep -c '^not ok ' "$results")))
        else
            echo "not ok $job: did not end"
            failed=$((failed + 1))
        fi
    done
    echo "$passed passed, $failed failed"
    [ $failed = 0 ] && [ $passed -gt 0 ]
}
