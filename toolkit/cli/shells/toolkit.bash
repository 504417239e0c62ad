# Completion of `toolkit` for bash 4.4 or newer: source it, or put it into
# ~/.local/share/bash-completion/completions/toolkit

_toolkit() {
    local line
    COMPREPLY=()
    compopt -o nosort 2>/dev/null
    while IFS= read -r line; do
        case $line in
            :files) compopt -o default 2>/dev/null ;;
            :folders) compopt -o dirnames 2>/dev/null ;;
            *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <(command toolkit completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _toolkit toolkit
