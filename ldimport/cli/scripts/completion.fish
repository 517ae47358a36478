# ldimport completion for fish, which quotes what needs it.
function __ldimport_complete
    set -l words (commandline -opc)
    set -l raw (commandline -ct)
    set -l typed (string unescape -- "$raw" 2>/dev/null; or string trim -l -c "'\"" -- "$raw")
    for line in (env _LDIMPORT_COMPLETE=words $words[1] -- $words[2..-1] "$typed" 2>/dev/null)
        if test "$line" = \x1c
            __fish_complete_path "$typed"
        else
            printf '%s\n' "$line"
        end
    end
end
complete -c ldimport -f -k -a '(__ldimport_complete)'
