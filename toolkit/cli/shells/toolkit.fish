# Completion of `toolkit` for fish: ~/.config/fish/completions/toolkit.fish

function __toolkit_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l option (string match -r -- '^--[^=]+=' "$current")
    set -l path (string replace -r -- '^--[^=]+=' '' "$current")
    for line in (command toolkit completion fish -- $before[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                for found in (__fish_complete_path "$path")
                    echo -- "$option$found"
                end
            case :folders
                for found in (__fish_complete_directories "$path" '')
                    echo -- "$option$found"
                end
            case '*'
                echo -- $line
        end
    end
end

complete --command toolkit --no-files --keep-order --arguments '(__toolkit_complete)'
