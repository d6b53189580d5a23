#!/usr/bin/env bash
# Checks the results in the folder RESULTS with the `wganbench` on the PATH, and exits as it does.
#
# SPEC names specs; empty for all that ship. PROFILE, if any, is trained first. STRICT is true or false. SINCE, if any, is
# a git revision to compare with. Into OUT go summary.md, junit.xml and index.html; the summary is shown with the job.
set -euo pipefail
mapfile -t specs < <(tr -s '[:space:]' '\n' <<< "${SPEC:-}" | sed '/^$/d')
results=(--results "$RESULTS")
mkdir -p "$OUT"

if [ -n "${PROFILE:-}" ]; then
  if [ "${#specs[@]}" = 0 ]; then
    echo "profile: needs spec, the specs that are to be trained" >&2
    exit 2
  fi
  for spec in "${specs[@]}"; do
    wganbench run "$spec" --profile "$PROFILE" "${results[@]}"
  done
  wganbench report "${specs[@]}" "${results[@]}"
fi

options=("${results[@]}" --junit "$OUT/junit.xml" --format github)
if [ "${STRICT:-false}" = true ]; then options+=(--strict); fi
if [ -n "${SINCE:-}" ]; then options+=(--since "$SINCE"); fi
status=0
wganbench check "${specs[@]}" "${options[@]}" > "$OUT/summary.md" 2> "$OUT/errors.txt" || status=$?
cat "$OUT/errors.txt" >&2
if [ ! -s "$OUT/summary.md" ]; then  # a damaged record, or a mistake in a spec
  printf '## wganbench check\n\n```\n%s\n```\n' "$(cat "$OUT/errors.txt")" > "$OUT/summary.md"
fi
cat "$OUT/summary.md" >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"
rm "$OUT/errors.txt"

# The page is written in a copy, so that the results stay as they were checked. What a report would drop is in the summary.
# The README beside them goes along, as the report would miss its scoreboard.
copy="$OUT/copy/$(basename "$(realpath "$RESULTS")")"
mkdir "$OUT/copy"
cp -R "$RESULTS" "$copy"
cp "$(realpath "$RESULTS")/../README.md" "$OUT/copy/" 2> /dev/null || true
if wganbench report "${specs[@]}" --results "$copy" --html --self-contained > /dev/null; then
  mv "$copy/index.html" "$OUT/"
fi
rm -rf "$OUT/copy"
exit "$status"
