#compdef ldimport
# ldimport completion for zsh. compadd quotes what needs it.
_ldimport() {
    local line word about files program=${(Q)words[1]}
    local -a found shown folders
    while IFS= read -r line; do
        word=${line%%$'\t'*} about=${line#*$'\t'}
        if [[ $word == $'\x1c' ]]; then
            files=1
        elif [[ $word == */ ]]; then
            folders+=("$word")
        else
            found+=("$word")
            shown+=("$word${about:+  -- $about}")
        fi
    done < <(_LDIMPORT_COMPLETE=words "${program/#\~\//$HOME/}" -- \
        "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#folders )) && compadd -S '' -a folders
    (( $#found )) && compadd -l -d shown -a found
    [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _ldimport ]]; then
    _ldimport "$@"
else
    compdef _ldimport ldimport
fi
