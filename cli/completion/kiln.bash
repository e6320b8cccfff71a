# kiln.bash - completion of the command kiln for bash.
#
# Options come from `kiln help COMMAND`, so that there is nothing to keep in step; everything else is a file.

_kiln()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]:-} i
    local kiln=${COMP_WORDS[0]}
    COMPREPLY=()

    # What follows `--` is a program's.
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        fi
    done
    if ((COMP_CWORD == 1)) || { ((COMP_CWORD == 2)) && [[ $command == help ]]; }; then
        mapfile -t COMPREPLY < <(compgen -W "run watch load symbols build cache why doctor help" -- "$word")
        return
    fi
    case $before in
    --color) mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word") ;;
    --hot) mapfile -t COMPREPLY < <(compgen -W "islands whole" -- "$word") ;;
    --engine) mapfile -t COMPREPLY < <(compgen -W "image jit" -- "$word") ;;
    --kind) mapfile -t COMPREPLY < <(compgen -W "shared archive object bitcode ir assembly" -- "$word") ;;
    --cache-dir) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    --pkg) mapfile -t COMPREPLY < <(compgen -W "$(pkg-config --list-package-names 2>/dev/null)" -- "$word") ;;
    -x) mapfile -t COMPREPLY < <(compgen -W "c c++ assembler assembler-with-cpp ir none" -- "$word") ;;
    *)
        if [[ $word == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W \
                "$("$kiln" help "$command" 2>/dev/null | sed -n '/^Options:/,$p' | grep -oE -e '--[a-z-]+')" -- "$word")
        elif [[ $command == cache ]]; then
            mapfile -t COMPREPLY < <(compgen -W "stats list verify gc clear" -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
        fi
        ;;
    esac
}

complete -o filenames -F _kiln kiln
