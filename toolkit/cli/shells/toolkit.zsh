#compdef toolkit
# Completion of `toolkit` for zsh: as _toolkit in a folder of $fpath, or sourced after compinit.

_toolkit() {
    local line word paths
    local -a candidates
    for line in ${(f)"$(command toolkit completion zsh -- "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)"}; do
        case $line in
            :*) paths=$line ;;
            *)
                word=${line%%$'\t'*}
                candidates+=("${word//:/\\:}:${line#*$'\t'}")
                ;;
        esac
    done
    [[ $PREFIX == --*=* ]] && compset -P '*='
    (( $#candidates )) && _describe -V toolkit candidates
    case $paths in
        :files) _files ;;
        :folders) _files -/ ;;
    esac
}

if [[ $funcstack[1] == _toolkit ]]; then
    _toolkit "$@"
else
    compdef _toolkit toolkit
fi
