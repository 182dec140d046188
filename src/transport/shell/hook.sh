# Starts a command and follows it, or follows one that an earlier call started.
#
# The script that calls sb_hook defines sb_script, which prints the command, and sb_program, which prints the program of
# the shell that runs it (runner.sh).
#
# The record of a command is a directory:
#
#   starter    the mark of the shell that made the record
#   command    the script to run
#   out, err   what the command printed; out.pipe and err.pipe lead there
#   runner     the mark of the shell that runs the command, written before `begun`
#   begun      a directory. Whoever makes it decides: the runner, that the command runs; a follower, that it never will
#   child      the mark of the process that leads the command's group
#   late       exists once the time limit has passed
#   ended      exists once the command has ended
#   result     how it ended
#
#   sb_ours        y if this shell made the record, and works in it
#   sb_home        the directory before that
#   sb_e           the mode of the record
#   sb_limit       how many bytes to send of each stream
#   sb_po, sb_pe   how many bytes were sent of out and err
#   sb_pos, sb_to  of the stream that is being sent: the position, and where to stop
#   sb_c           the length of a chunk
#   sb_new         y if there was output in this round
#   sb_n           rounds without output
#   sb_late        rounds in which the runner had not begun
#   sb_told        y once `begun` was sent
#   sb_done        y if there was a result before the output of this round was read

# A printf that is a process of its own would show what it prints in the process list.
case ${KSH_VERSION:+ksh}:$(command -v print) in ksh:print) sb_printf=print ;; *) sb_printf=$(command -v printf) ;; esac
case $sb_printf in */*) sb_lacks="$sb_lacks =builtin-printf" ;; esac

# TEXT...: prints them one after the other.
sb_print() { for sb_e; do sb_put "$sb_e" || return; done; }

# RECORD DIRECTORY LIMIT [end]: starts the command in DIRECTORY unless the record exists, and follows it. With `end`,
# starts nothing, and ends a command that runs.
sb_hook() {
    sb_i=0 sb_ours=
    sb_reach "$1" || return
    if ! sb_exists "$1"; then
        case ${4-} in
            end)
                sb_fail missing "$1: No such file or directory"
                return 1
                ;;
        esac
        sb_claim "$1" "$2" || return
    fi
    if [ -z "$sb_ours" ]; then
        if [ -h "$1" ] || ! [ -d "$1" ]; then
            sb_fail wrong-type "$1: Not a directory"
            return 1
        fi
        cd -P -- "$1" 2>/dev/null || sb_fail denied "$1: Permission denied" || return
    fi
    case ${4-} in end) sb_stop_command 2>/dev/null ;; esac
    sb_follow "$3"
}

# Ends the command if it still runs. Leaves alone a daemon that a command left behind when it ended.
sb_stop_command() {
    if [ -e ./ended ] || [ -e ./result ]; then return; fi
    sb_liveness ./child
    case $sb_k in
        alive)
            sb_send beat
            sb_end_group "$sb_p"
            ;;
    esac
}

# RECORD DIRECTORY: makes the record unless it exists. Sets sb_ours if this shell made it, and goes there.
sb_claim() {
    (cd -- "$2") 2>/dev/null || sb_fail_entry "$2" || return
    # What a group shares includes its records.
    case $(stat -c %a -- "${1%/*}" 2>/dev/null) in 2770) sb_e=2770 ;; *) sb_e=700 ;; esac
    sb_m=$(mkdir -m $sb_e -- "$1" 2>&1) || {
        sb_not_killed $? "$sb_m"
        if [ -d "$1" ] && ! [ -h "$1" ]; then return 0; fi
        sb_fail - "$sb_m"
        return 1
    }
    sb_home=$PWD
    cd -P -- "$1" || exit 1
    if sb_m=$(sb_prepare 2>&1); then
        sb_ours=y
        sb_start
        return 0
    fi
    # Nothing runs yet, and nobody else starts it, since the record is ours.
    rm -f ./starter ./command ./out ./err ./out.pipe ./err.pipe
    cd -P -- "$sb_home" && rmdir -- "$1"
    sb_fail - "$sb_m"
    return 1
}

# Fills the new record, up to the point where the command can start.
sb_prepare() {
    case $sb_e in
        2770)
            chmod g+s .
            umask 007
            ;;
        *) umask 077 ;;
    esac
    sb_own_mark
    sb_say "$sb_v" >./starter && sb_script >./command && : >./out && : >./err && mkfifo ./out.pipe ./err.pipe
}

# Starts the runner, in a session of its own, without the files that this shell holds open.
#
# It reads its program from a pipe, so that secrets are in no file and in no list of arguments. A program that was cut
# off does nothing.
sb_start() {
    sb_program 2>/dev/null | (
        sb_restore
        exec setsid sh -s
    ) >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
}

# LIMIT: sends output as it comes, up to LIMIT bytes of each stream, and then how the command ended.
sb_follow() {
    sb_limit=$1 sb_po=0 sb_pe=0 sb_n=0 sb_late=0 sb_told=
    while :; do
        sb_done=
        if [ -f ./result ]; then sb_done=y; fi
        if [ -z "$sb_told" ] && [ -d ./begun ]; then
            sb_send begun
            sb_told=y
        fi
        sb_new=
        # shellcheck disable=SC2046 # Each size is a word.
        set -- $(stat -c %s ./out ./err 2>/dev/null)
        sb_send_output out "${1:-0}" "$sb_po"
        sb_po=$sb_pos
        sb_send_output err "${2:-0}" "$sb_pe"
        sb_pe=$sb_pos
        if [ "$sb_done" ]; then
            IFS= read -r sb_v <./result
            sb_t= sb_x=
            sb_value "$sb_v"
            sb_send "result$sb_t${sb_x:+$sb_nl${sb_x%"$sb_nl"}}"
            return 0
        fi
        if [ "$sb_new" ]; then sb_n=0; else
            if sb_is_lost; then
                sb_send lost
                return 0
            fi
            sb_wait_longer
        fi
    done
}

# FRAME: sends it at once. Ends this shell if nobody listens any more: the command goes on without it.
sb_send() { sb_say "$sb_frame$1" 2>/dev/null || exit 0; }

# NAME SIZE POSITION: sends what a stream has from POSITION on, and puts the position after it into sb_pos.
#
# The limit may have more digits than a shell can count: the lengths are compared first.
sb_send_output() {
    sb_pos=$3
    sb_to=$2
    [ ${#sb_to} -lt ${#sb_limit} ] || { [ ${#sb_to} -eq ${#sb_limit} ] && [ "$sb_to" -le "$sb_limit" ]; } ||
        sb_to=$sb_limit
    while [ "$sb_pos" -lt "$sb_to" ]; do
        sb_new=y
        sb_c=$((sb_to - sb_pos))
        if [ "$sb_c" -gt 65536 ]; then sb_c=65536; fi
        sb_send "$1 #h$sb_c"
        od -An -v -tx1 -j "$sb_pos" -N "$sb_c" ./"$1" 2>/dev/null || exit 0
        sb_pos=$((sb_pos + sb_c))
    done
}

# Succeeds if there will certainly be no result: the runner is gone, or never began and never will.
sb_is_lost() {
    if ! [ -d ./begun ]; then
        sb_liveness ./starter
        # After about 35 seconds, the starter counts as frozen. If the runner begins after all, this mkdir fails.
        if [ "$sb_k" = gone ] || [ "$sb_late" -gt 200 ]; then mkdir ./begun 2>/dev/null; fi
        sb_late=$((sb_late + 1))
        return 1
    fi
    [ -e ./runner ] || return 0
    sb_liveness ./runner
    [ "$sb_k" = gone ] && ! [ -e ./result ]
}

# Pauses, longer and longer, and sends a heartbeat every tenth time.
sb_wait_longer() {
    sb_n=$((sb_n + 1))
    case $sb_n in
        [1-9]) sb_pause 0.02 ;;
        [1-3][0-9]) sb_pause 0.1 ;;
        *0)
            sb_send beat
            sb_pause 0.2
            ;;
        *) sb_pause 0.2 ;;
    esac
}
