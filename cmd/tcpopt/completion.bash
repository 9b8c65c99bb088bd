# Completion of tcpopt in bash 4 and later. What it offers is what the help of the
# command itself has.
_tcpopt() {
	local tcpopt=${COMP_WORDS[0]} verb=${COMP_WORDS[1]}
	local previous=${COMP_WORDS[COMP_CWORD - 1]} current=${COMP_WORDS[COMP_CWORD]}
	local row='^  ([a-z]+) ' flag='^  (-[^[:space:]]+)( (.+))?'
	local line word value='' words=()
	[[ $tcpopt != \~/* ]] || tcpopt=$HOME/${tcpopt:2}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		while IFS= read -r line; do
			[[ ! $line =~ $row ]] || words+=("${BASH_REMATCH[1]}")
		done < <("$tcpopt" help 2>/dev/null)
	else
		while IFS= read -r line; do
			[[ $line =~ $flag ]] || continue
			words+=("${BASH_REMATCH[1]}")
			[[ $previous != "${BASH_REMATCH[1]}" ]] || value=${BASH_REMATCH[3]}
		done < <("$tcpopt" "$verb" -h 2>/dev/null)
	fi
	case $value in
	'') ;;
	*'|'*) IFS='|' read -ra words <<<"$value" ;;
	file)
		compopt -o default
		return
		;;
	*) words=() ;;
	esac
	if [[ $value && ($previous == -pid || $previous == -name) ]]; then
		# What is not ASCII may be shown as something else, and is quoted byte by byte.
		local LC_ALL=C
		# Whose program may be seen is also whose descriptors may be listed.
		for line in /proc/[0-9]*/exe; do
			[[ -e $line ]] || continue
			word=${line:6:-4}
			# A name is anybody's choice: it is quoted, and never expanded.
			[[ $previous == -pid ]] || { IFS= read -r word <"/proc/$word/comm" && printf -v word %q "$word"; }
			words+=("$word")
		done 2>/dev/null
	fi
	for word in "${words[@]}"; do
		[[ $word != "$current"* ]] || COMPREPLY+=("$word")
	done
}
complete -F _tcpopt tcpopt
