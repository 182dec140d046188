# Saves settings that a command must find unchanged, before common.sh changes them; restore.sh restores them.
#
#   sb_umask    the umask
#   sb_locale   LC_ALL
#   sb_had      y if LC_ALL was set

sb_umask=$(umask) sb_had=${LC_ALL+y} sb_locale=${LC_ALL-}
