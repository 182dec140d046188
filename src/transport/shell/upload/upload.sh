# Receives an upload: unpacks a tar stream into a directory, and completes it with what the host has already (the base).
#
# The last entry of the stream, the marker, is a script of ours: it proves that all of the stream came, and says what is
# left to do (sb_edit, sb_select_copied, sb_copy, sb_modes, sb_mode). Other entries whose names begin with that of the
# marker are its data.
#
#   sb_d         the directory, and where this shell is once it has checked everything
#   sb_f         the marker
#   sb_how       how the stream is compressed: plain, zstd or gzip
#   sb_o         the root
#   sb_base      the directory that has what was not sent, or empty
#   sb_p         -p if tar may set modes
#   sb_bad       why the upload failed; empty once it has not
#   sb_why       the kind of that failure
#   sb_m         what the programs printed
#   sb_q         a status, or a group
#   sb_k         an index; or how many files the first of two parts has
#   sb_n         the path of a list of digests

# INTO MARKER HOW BASE LIST...: unpacks the standard input into INTO, and puts the lists that came along where LIST
# says.
sb_receive() {
    sb_i=0
    sb_reach "$1/." || return
    sb_d=$1 sb_f=./$2 sb_how=$3 sb_o=$PWD sb_base=$4 sb_why=-
    shift 4
    sb_can_copy || return
    sb_glob sb_is_empty || sb_fail exists "$sb_d: Directory not empty" || return
    for sb_e; do
        sb_reach "$sb_e" || return
        if sb_exists "$sb_e"; then
            sb_fail exists "$sb_e: File exists"
            return 1
        fi
    done
    cd -P -- "$sb_d" 2>/dev/null || sb_fail denied "$sb_d: Permission denied" || return
    sb_p=-p
    if [ -g . ]; then sb_may_set_group || sb_p=; fi
    sb_m=$(sb_unpack 4>&1 | tail -c 1500)
    # Silence is a failure too: the process that reports how it ended was killed.
    sb_bad=${sb_m:-the unpacking was killed}
    if [ -f "$sb_f" ] && ! [ -h "$sb_f" ]; then
        # The marker is of this upload, and complete if tar succeeded.
        if sb_is_complete; then
            sb_bad=
            sb_inherit
            # shellcheck disable=SC1090 # The client wrote it.
            . "$sb_f"
            sb_place_lists "$@"
        fi
        rm -f -- "$sb_f"
    fi
    case $sb_bad in
        '')
            sb_reply done
            return 0
            ;;
    esac
    sb_fail "$sb_why" "$sb_bad"
}

# Unpacks, and reports the statuses to descriptor 4: that of tar, and last that of the decompressor, whatever tar
# prints.
sb_unpack() {
    case $sb_how in
        plain) sb_untar >&4 ;;
        *)
            sb_q=$({
                {
                    "sb_$sb_how" 2>&4
                    echo "$?" >&3
                } | sb_untar >&4
            } 3>&1)
            echo "$sb_how ended with ${sb_q:-nothing said}" >&4
            ;;
    esac
}

sb_zstd() { zstd -d -c -q; }

sb_gzip() { if command -v gzip >/dev/null 2>&1; then gzip -d -c; else gunzip -c; fi; }

# Unpacks the standard input with its modes, prints what tar says, and its status.
#
# A toybox tar applies the umask even with -p. Nobody else reaches these files before they are published. What follows
# the archive is read too, so that its writer does not fail.
sb_untar() {
    umask 0
    # shellcheck disable=SC2086 # An empty option is no word.
    tar -x $sb_p -o -f - 2>&1
    sb_q=$?
    case $sb_how,$sb_q in plain,*) ;; *,0) cat >/dev/null ;; esac
    echo "tar ended with $sb_q"
}

# Succeeds if chmod can set a setgid bit here.
#
# chmod clears that of a directory whose group its user is not in, and only a member can set it again: then tar must not
# change modes.
sb_may_set_group() {
    mkdir -- "$sb_f-group" 2>/dev/null && chmod 2700 "$sb_f-group" 2>/dev/null
    [ -g "$sb_f-group" ]
    set -- $?
    rmdir -- "$sb_f-group" 2>/dev/null
    return "$1"
}

# Gives what was unpacked the group of a setgid directory, and its directories the bit. Some tar clear it, and then make
# files of another group.
sb_inherit() {
    [ -g . ] && case $sb_p in '') false ;; esac || return 0
    sb_q=$(stat -c %g .) && find . -type d ! -perm -2000 -exec chmod g+s {} + 2>/dev/null &&
        find . ! -type l ! -group "$sb_q" -exec chgrp "$sb_q" {} + 2>/dev/null ||
        sb_bad="the group of $sb_d could not be given to what it holds"
}

# Succeeds if tar and the decompressor succeeded.
sb_is_complete() {
    case $sb_how in
        plain) case $sb_m in *'tar ended with 0') return 0 ;; esac ;;
        *) case $sb_m in *"tar ended with 0$sb_nl$sb_how ended with 0") return 0 ;; esac ;;
    esac
    return 1
}

# Checks that what was not sent can be copied here: better now than once all is sent.
sb_can_copy() {
    case $sb_base in '') return 0 ;; esac
    for sb_e in cmp cut find sed sha256sum wc xargs; do
        command -v "$sb_e" >/dev/null 2>&1 || sb_fail mismatch "nothing can be copied without $sb_e" || return
    done
    if [ -h "$sb_base" ] || ! [ -d "$sb_base" ]; then
        sb_fail mismatch "$sb_base: Not a directory"
        return 1
    fi
}

# MESSAGE: notes that the base is not what the client believes.
sb_differs() { sb_why=mismatch sb_bad="$sb_base: $1"; }

# INDEX LIST...: makes each list from that of the base, by the edits that came, and compares them with their digests.
sb_edit() {
    sb_k=
    for sb_e; do
        case $sb_k in
            '') sb_k=$sb_e ;;
            *)
                sb_edit_list "$sb_k" "$sb_o/$sb_e" &
                sb_k=
                ;;
        esac
    done
    wait
    if sb_write_names "$sb_f-digests" && sb_verify "$sb_f-digests"; then
        sb_remove_sums "$sb_f-digests"
        return
    fi
    sb_differs 'its lists are not what they were, or cannot be read'
}

# INDEX LIST: makes one list.
sb_edit_list() {
    if [ -f "$2" ] && ! [ -h "$2" ] && (umask 077 && sed -n -f "$sb_f-$1-edit" <"$2" >"$sb_f-$1") 2>/dev/null; then
        rm -f -- "$sb_f-$1-edit"
    fi
}

# SUMS: writes the names of a list of digests next to it: in lines, and with zero bytes.
sb_write_names() { cut -b 67- <"$1" >"$1-lines" && sb_end_with_zeros <"$1-lines" >"$1-names"; }

# SUMS...: removes lists of digests, and what was written next to them.
sb_remove_sums() {
    for sb_e; do
        shift
        set -- "$@" "$sb_e" "$sb_e-lines" "$sb_e-names"
    done
    rm -f -- "$@"
}

# INDEX: writes the digests of the files to copy, which are a part of this list.
sb_select_copied() {
    case $sb_bad in '') sed -n -f "$sb_f-skip" <"$sb_f-$1" >"$sb_f-copied" 2>/dev/null && rm -f -- "$sb_f-skip" ;; esac
}

# FIRST: copies the files, and verifies them; in two parts at once if FIRST says how many files the first part has.
#
# Something that is neither a file nor a directory is never read, since it may lead elsewhere or never end: the number
# of such things must not change.
sb_copy() {
    case $sb_bad in ?*) return ;; esac
    sb_m=$(sb_count_odd)
    if sb_split_in_two "${1-}" && sb_in_both sb_copy_files &&
        [ "$(sb_count_odd)" = "$sb_m" ] && sb_in_both sb_verify; then
        sb_remove_sums "$sb_f-copied" "$sb_f-copied-1" "$sb_f-copied-2"
    else
        sb_differs 'does not hold what it did'
    fi
}

# FIRST: splits the list of files to copy.
sb_split_in_two() {
    sb_k=$1
    case $sb_k in '') return ;; esac
    sed "${sb_k}q" <"$sb_f-copied" >"$sb_f-copied-1" && sed "1,${sb_k}d" <"$sb_f-copied" >"$sb_f-copied-2"
}

# FUNCTION: succeeds if the function does for each part.
sb_in_both() {
    case $sb_k in
        '')
            "$1" "$sb_f-copied"
            return
            ;;
    esac
    "$1" "$sb_f-copied-1" &
    sb_p=$!
    "$1" "$sb_f-copied-2"
    sb_q=$?
    wait "$sb_p" && [ "$sb_q" -eq 0 ]
}

# SUMS: succeeds if the files have these digests.
#
# openssl uses what a processor has for that; many a sha256sum does not, and takes eight times as long. What openssl
# does not confirm, sha256sum decides.
sb_verify() {
    if command -v openssl >/dev/null 2>&1 &&
        xargs -0 openssl dgst -sha256 -r <"$1-names" 2>/dev/null | sed 's/^\(.\{64\}\) \*/\1  /' | cmp -s - "$1"; then
        return
    fi
    xargs -0 sha256sum <"$1-names" 2>/dev/null | cmp -s - "$1"
}

# MODE LISTING: gives this mode to the files that have it in a listing, or whose names came.
sb_modes() {
    case $sb_bad in ?*) return ;; esac
    case $2 in ?*) sed -n "s/^f $1 [0-9]* //p" <"$sb_f-$2" >"$sb_f-mode-$1" 2>/dev/null ;; esac
    if sb_end_with_zeros <"$sb_f-mode-$1" | xargs -0 chmod "$1" 2>/dev/null; then
        rm -f -- "$sb_f-mode-$1"
        return
    fi
    sb_differs 'not all of it could be copied'
}

# Ends each line of the input with a zero byte instead, where there is a tr or not.
sb_end_with_zeros() { tr '\n' '\0' 2>/dev/null || while IFS= read -r sb_e; do printf '%s\0' "$sb_e" || return; done; }

# Prints a number that changes with what is neither a directory nor a file with one name.
sb_count_odd() { find . ! -type d ! \( -type f -links 1 \) 2>/dev/null | wc -c; }

# SUMS: copies these files with their modification times: shares blocks where cp and the filesystem can, else uses tar.
#
# Never by hard links, and without owners and access lists, which a cp -p would copy too.
sb_copy_files() (
    sb_write_names "$1" && IFS= read -r sb_e <"$1-lines" || exit
    sb_d=$PWD sb_n=$PWD/$1
    cd -P -- "$sb_o/$sb_base" 2>/dev/null || exit
    xargs -0 cp -R -P --parents --preserve=timestamps --reflink=auto -t "$sb_d" <"$sb_n-names" 2>/dev/null && exit
    # A cp that copied the first file knows the options: what it did not copy is missing.
    sb_exists "$sb_d/$sb_e" && exit 1
    # shellcheck disable=SC2016 # The inner shell expands these.
    xargs -0 sh -c 'tar -c -f - "$@" | { cd -P -- "$0" && tar -x -p -o -f -; }' "$sb_d" <"$sb_n-names" 2>/dev/null
)

# LIST...: moves the lists that came along there.
sb_place_lists() {
    sb_k=0
    for sb_e; do
        sb_m=$(mv -f -- "$sb_f-$sb_k" "$sb_o/${sb_e#./}" 2>&1) || sb_bad=$sb_bad$sb_m$sb_nl
        sb_k=$((sb_k + 1))
    done
}

# ENTRY...: succeeds without one.
sb_is_empty() { [ $# -eq 0 ]; }

# MODE DIRECTORY: sets the mode of a directory that would have kept tar out. Called by the marker.
sb_mode() {
    sb_m=$(chmod "$1" "$2" 2>&1 && if [ -g . ]; then chmod g+s "$2" 2>&1; fi) || sb_bad=$sb_bad$sb_m$sb_nl
}
