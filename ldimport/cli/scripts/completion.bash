# ldimport completion for bash. What ldimport prints is quoted already, a word a line.
_ldimport() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == $'\x1c' ]]; then
            compopt -o default 2>/dev/null # files, as bash does it
        else
            COMPREPLY+=("$line")
        fi
    done < <(_LDIMPORT_COMPLETE=bash "${1/#\~\//$HOME/}" -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null # a folder: it goes on
    fi
}
complete -o nosort -F _ldimport ldimport 2>/dev/null || complete -F _ldimport ldimport
