# Completion of jobctl for fish. What is offered comes from `jobctl complete`, and so from the same description of the
# commands as its parser and its help.
function __jobctl_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] complete $words[2..-1] 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :directories
                __fish_complete_directories (commandline -ct) ''
            case '*'
                echo $line
        end
    end
end
complete -c jobctl -f -a '(__jobctl_complete)'
