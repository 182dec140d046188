# Restores what save.sh saved.

# Restores the settings that a command must find unchanged.
sb_restore() {
    trap - HUP PIPE
    umask "$sb_umask"
    case $sb_had in
        y) LC_ALL=$sb_locale ;;
        *) unset LC_ALL ;;
    esac
}
