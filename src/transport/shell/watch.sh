# Ends a shell whose client has vanished without a word, as when a cable is pulled: sshd would wait for hours, and a
# lock would look held.
#
# The client writes a line every few seconds, which wakes the shell up. A shell that slept through four of them, and
# whose programs have all ended, has no client. Builtins only, but for sleep.
#
#   sb_q   how often the shell has woken up     sb_v   the same, before
#   sb_k   `asleep` if it sleeps now
#   sb_n   intervals in which it did not wake up
#   sb_a   the line of the watch in /proc; its first word is its id

# SECONDS: starts the watch.
sb_watched() {
    # mksh keeps what a redirection of the whole subshell replaces, and the client would wait for the end of its output.
    (
        exec </dev/null >/dev/null 2>&1
        sb_watch "$1"
    ) &
}

# SECONDS: watches this shell, with a look every so many seconds.
sb_watch() {
    sb_v= sb_n=0
    while sleep "$1" && sb_woken; do
        if [ "$sb_q" != "$sb_v" ] || [ "$sb_k" != asleep ] || sb_at_work; then
            sb_v=$sb_q sb_n=0
        else
            sb_n=$((sb_n + 1))
        fi
        # Some shells ignore TERM, or run a trap first.
        if [ "$sb_n" -ge 4 ]; then
            kill -KILL $$
            exit 0
        fi
    done
}

# Puts how often the shell has woken up into sb_q, and whether it is asleep into sb_k. Fails once the shell has ended,
# or where the kernel does not tell.
#
# The shell must still be the parent of the watch: another process may have got its id.
sb_woken() {
    sb_q= sb_k=
    IFS= read -r sb_a </proc/self/stat || return 1
    case ${sb_a##*) } in [!ZX]" $$ "*) ;; *) return 1 ;; esac
    {
        while IFS= read -r sb_e; do
            case $sb_e in State:?S*) sb_k=asleep ;; voluntary*) sb_q=$sb_e ;; esac
        done </proc/$$/status
    } 2>/dev/null
    [ -n "$sb_q" ]
}

# Succeeds while a program that the shell started still runs.
sb_at_work() {
    set +f
    for sb_e in /proc/[0-9]*/stat; do
        { IFS= read -r sb_m <"$sb_e"; } 2>/dev/null || continue
        case ${sb_m##*) } in [!ZX]" $$ "*) [ "${sb_m%% *}" = "${sb_a%% *}" ] || return 0 ;; esac
    done
    return 1
}
