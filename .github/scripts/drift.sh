#!/usr/bin/env bash
# drift.sh COUNTRY FOLDER: is what runs what is declared? Writes FOLDER/COUNTRY.md and, as JSON, what ./dive status says.
# Exit code 0: it is; 1: it is not, or that could not be checked.
set -uo pipefail
country=$1 folder=$2 stack=${1,,}
mkdir -p "$folder"

./dive status "$country" --json > "$folder/$stack.status.json"
health=$?

eval "$(./dive env)"
pulumi refresh -s "$stack" --preview-only --run-program --expect-no-changes --non-interactive > "$folder/$stack.txt" 2>&1
drift=$?

case $health in 0) said="healthy" ;; 1 | 4) said="**findings**" ;; 3) said="being deployed" ;; *) said="**could not be checked**" ;; esac
case $drift in 0) seen="as declared" ;; 7) seen="**differs from what is declared**" ;; *) seen="**could not be checked**" ;; esac
{
  printf '## %s\n\n| asked | answer |\n|---|---|\n' "$country"
  printf '| `./dive status %s` | %s |\n| `pulumi refresh` (read only) | %s |\n' "$country" "$said" "$seen"
  if [ "$drift" != 0 ]; then
    printf '\n<details><summary>what pulumi saw</summary>\n\n```\n'
    tail -n 100 "$folder/$stack.txt"
    printf '```\n\n</details>\n'
  fi
  if [ "$health" != 0 ] || [ "$drift" != 0 ]; then
    printf '\nNext: `./dive status %s`, then `./dive up %s`, which brings back what is declared.\n' "$country" "$country"
  fi
} > "$folder/$stack.md"

[ "$health" = 0 ] && [ "$drift" = 0 ]
