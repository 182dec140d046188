# SECONDS: ends this shell once its client has vanished without a word, as when a cable is pulled. sshd itself would wait for
# hours, and a lock would look held. A client that is there writes a line every so many seconds, which wakes the shell up; a shell
# that slept through four of them, and whose programs have all ended, has no client. Builtins only, but for the sleep.
sb_watched() {
# mksh keeps what a redirection of the whole subshell replaces, and the client would wait for the end of its output.
(exec </dev/null >/dev/null 2>&1; sb_watch "$1") &
}
sb_watch() {
sb_v= sb_n=0
while sleep "$1" && sb_woken; do
if [ "$sb_q" != "$sb_v" ] || [ "$sb_k" != asleep ] || sb_at_work; then sb_v=$sb_q sb_n=0; else sb_n=$((sb_n + 1)); fi
# Some shells ignore TERM, or run a trap first.
if [ "$sb_n" -ge 4 ]; then kill -KILL $$; exit 0; fi
done
}
# Puts into $sb_q how often the shell has woken up, and into $sb_k whether it is asleep now. Fails once the shell has ended, or
# where the kernel does not tell. The watch checks that the shell is still its parent: another process may have got its number.
sb_woken() {
sb_q= sb_k=
IFS= read -r sb_a </proc/self/stat || return 1
case ${sb_a##*) } in [!ZX]" $$ "*) ;; *) return 1;; esac
{ while IFS= read -r sb_e; do case $sb_e in State:?S*) sb_k=asleep;; voluntary*) sb_q=$sb_e;; esac; done </proc/$$/status; } 2>/dev/null
[ -n "$sb_q" ]
}
# Succeeds while a program that the shell started still runs.
sb_at_work() {
set +f
for sb_e in /proc/[0-9]*/stat; do
{ IFS= read -r sb_m <"$sb_e"; } 2>/dev/null || continue
case ${sb_m##*) } in [!ZX]" $$ "*) [ "${sb_m%% *}" = "${sb_a%% *}" ] || return 0;; esac
done
return 1
}
