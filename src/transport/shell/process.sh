# Which process carries out the batches: id, start time, boot, start time of the first process, host. Builtins only.
sb_boot() { { IFS= read -r sb_a </proc/sys/kernel/random/boot_id; } 2>/dev/null; }
sb_started() {
sb_m=
[ -r "/proc/$1/stat" ] || return 1
while IFS= read -r sb_e; do sb_m=$sb_m$sb_e; done <"/proc/$1/stat" 2>/dev/null
case $sb_m in *') '*) ;; *) return 1;; esac
set -- ${sb_m##*) }
case $1 in [ZX]) return 2;; esac
sb_m=${20-}
}
# Among whom an id means this process: containers of one kernel have first processes of their own.
sb_realm() {
sb_started 1
case $sb_m in '' | *[!0-9]*) sb_g=-;; *) sb_g=$sb_m;; esac
{ IFS= read -r sb_h </proc/sys/kernel/hostname; } 2>/dev/null || sb_h=-
case $sb_h in '' | *[!0-9A-Za-z._-]*) sb_h=-;; esac
}
# The mark of this shell, in $sb_v.
sb_self() {
sb_realm
sb_boot || sb_a=-
sb_started $$ || sb_m=-
sb_v="$$ $sb_m $sb_a $sb_g $sb_h"
}
# Where a nap takes no fractions, it is a second.
sb_nap() { sleep "$1" 2>/dev/null || { sleep 1; sb_coarse=y; }; }
# PROCESS: ends the group that it leads; what does not obey is killed after 5 seconds.
sb_end_group() {
kill -TERM -"$1" || return
sb_n=0
while [ $sb_n -lt 50 ] && kill -0 -"$1"; do
sb_coarse=
sb_nap 0.1
sb_n=$((sb_n + 1))
if [ "$sb_coarse" ]; then sb_n=$((sb_n + 9)); fi
done
kill -KILL -"$1"
}
# FILE: whether the process that it names still runs, in $sb_k.
sb_liveness() {
sb_realm
sb_k=unknown sb_p= sb_z= sb_e= sb_f= sb_l=
# A line without its end was cut, and one that is followed by more was written by somebody else: both say nothing.
{ sb_kind "$1" && { read -r sb_p sb_z sb_e sb_f sb_l && { sb_o= && ! read -r sb_o && [ -z "$sb_o" ]; }; } <"$1"; } 2>/dev/null || sb_e=
sb_k=unknown
case $sb_p.$sb_z in *[!0-9.]* | .* | *.) sb_e=;; esac
case $sb_e in *[!0-9A-Za-z-]*) sb_e=;; esac
case $sb_f in - | '') ;; *[!0-9]*) sb_e=;; esac
case $sb_f.$sb_l in .) ;; .* | *. | *[!0-9A-Za-z._-]*) sb_e=;; esac
if [ -n "$sb_e" ] && sb_boot; then
if [ "$sb_a" != "$sb_e" ]; then
# Another boot of this host ended it; another host has boots of its own.
case $sb_l in '') sb_k=gone;; -) ;; "$sb_h") sb_k=gone;; esac
elif [ -n "$sb_f" ] && { [ "$sb_f" = - ] || [ "$sb_f" != "$sb_g" ]; }; then :
else
sb_started "$sb_p"
case $? in
0) if [ "$sb_m" = "$sb_z" ]; then sb_k=alive; else sb_k=gone; fi;;
2) sb_k=gone;;
*) if [ -r /proc/1/stat ] && ! [ -e "/proc/$sb_p" ]; then sb_k=gone; fi;;
esac
fi
fi
}
# Opens nothing that could block: 0 is a regular file that can be read, anything else is answered with $sb_k.
sb_kind() {
if [ -h "$1" ]; then sb_k=link
elif [ -d "$1" ]; then sb_k=directory
elif ! [ -e "$1" ]; then sb_k=-
elif ! [ -f "$1" ]; then sb_k=other
elif ! [ -r "$1" ]; then sb_k=denied
else return 0
fi
return 1
}
