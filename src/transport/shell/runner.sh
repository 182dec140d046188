# Runs one command, in a session of its own. hook.sh describes the record, which is the working directory here: the
# runner finds its files wherever somebody moves that.
#
# The script that calls sb_runner defines sb_environment, which exports the variables of the command.
#
#   sb_c   the id of the command
#   sb_m   its start time
#   sb_w   the id of the process that watches the time limit
#   sb_x   the result: `exit` and a status, or `late` and the processes that are still there
#   sb_n   seconds, or rounds, that have passed
#   sb_p   a process

# DIRECTORY BLOCKS SECONDS MARKER: runs the command in DIRECTORY, keeps BLOCKS of 512 bytes of each stream, ends it
# after SECONDS (none: no limit), and writes the result.
#
# Each process that the command starts has MARKER in its environment.
sb_runner() {
    umask 077
    cd -P . || exit 0
    case $(stat -c %a .) in 2770) umask 007 ;; esac
    sb_own_mark
    sb_say "$sb_v" >./runner
    mkdir ./begun || exit 0
    sb_record out "$2" &
    sb_record err "$2" &
    sb_child "$1" "$4" </dev/null >./out.pipe 2>./err.pipe &
    sb_c=$!
    if sb_start_time $sb_c; then sb_say "$sb_c $sb_m $sb_a $sb_g $sb_h" >./child; fi
    case $3 in
        ?*)
            sb_limit_time "$3" $sb_c "$sb_m" &
            sb_w=$!
            ;;
    esac
    wait $sb_c
    sb_x="exit $?"
    : >./ended
    if [ -e ./late ]; then
        wait "$sb_w"
        sb_x=late
        sb_add_survivors "SWITCHBACK_HOOK=$4"
    fi
    sb_await_output
    rm -f ./out.pipe ./err.pipe ./out.done ./err.done
    sb_say "$sb_x" >./result.new && sync -- ./result.new
    mv -f ./result.new ./result && sync -- .
}

# NAME BLOCKS: writes so much of a stream to its file, and reads the rest too, so that the command never waits for a
# reader and never dies for want of one.
sb_record() {
    {
        (
            trap '' XFSZ
            # shellcheck disable=SC3045 # Every shell that we know has these options.
            ulimit -c 0
            # shellcheck disable=SC3045 # The same.
            ulimit -S -f "$2"
            exec cat >>./"$1"
        )
        cat >/dev/null
    } <./"$1".pipe
    : >./"$1".done
}

# DIRECTORY MARKER: becomes the command.
#
# What the environment must not change (the programs, the path of the script) is looked up before it is set.
sb_child() {
    set -- "$1" "$2" "$(command -v setsid)" "$(command -v sh)" "$PWD/command"
    sb_restore
    cd -- "$1" || exit 126
    sb_environment
    SWITCHBACK_HOOK=$2
    export SWITCHBACK_HOOK
    exec "$3" "$4" "$5"
}

# SECONDS PROCESS START: ends the group that PROCESS leads, once so many seconds have passed, if it is still that one.
sb_limit_time() {
    sb_n=0
    while [ $sb_n -lt "$1" ]; do
        sleep 1
        # Somebody may have removed the record: then only the process shows that the command has ended.
        if [ -e ./ended ] || ! kill -0 "$2" 2>/dev/null; then return; fi
        sb_n=$((sb_n + 1))
    done
    sb_start_time "$2"
    [ "$?$sb_m" = "0$3" ] || return
    : >./late
    sb_end_group "$2"
}

# MARKER: adds the processes that have it in their environment to the result.
sb_add_survivors() {
    set +f
    for sb_p in /proc/[0-9]*; do
        case $(cat -v "$sb_p/environ") in
            *"$1"*)
                sb_p=${sb_p#/proc/}
                if sb_start_time "$sb_p"; then sb_x="$sb_x $sb_p"; fi
                ;;
        esac
    done
    set -f
}

# Waits a second until both streams have ended. A process that the command left in the background may keep them open as
# long as it likes.
sb_await_output() {
    sb_n=0 sb_coarse=
    while [ $sb_n -lt 25 ] && ! { [ -e ./out.done ] && [ -e ./err.done ]; }; do
        if [ "$sb_coarse" ]; then return; fi
        sb_pause 0.04
        sb_n=$((sb_n + 1))
    done
}
