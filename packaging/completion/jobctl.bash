# Completion of jobctl for bash. What is offered comes from `jobctl complete`, and so from the same description of the
# commands as its parser and its help.
_jobctl() {
  local -a words=()
  local i word candidate
  # Put together what bash takes apart at "=" and ":".
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((${#words[@]} > 0)) && [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == [=:] ]] &&
      [[ ${words[-1]} == -*  || $word == :* || ${COMP_WORDS[i - 1]} == : ]]; then
      words[-1]+=$word
    else
      words+=("${word/#\~\//$HOME/}")
    fi
  done
  COMPREPLY=()
  local typed=${words[-1]} current=${COMP_WORDS[COMP_CWORD]}
  # What stands before the part that bash replaces.
  [[ $current == [=:] ]] && current=''
  local before=${typed%"$current"}
  while IFS=$'\t' read -r candidate _; do
    case $candidate in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :directories) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("${candidate#"$before"}") ;;
    esac
  done < <("${COMP_WORDS[0]}" complete "${words[@]}" 2>/dev/null)
}
complete -F _jobctl jobctl
