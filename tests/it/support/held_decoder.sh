#!/bin/sh
# A decoder beside which something holds its output open, so that its session cannot leave its place, while the file `hold`
# lies in the data directory; `held` says that it does. Where `hold` says `rest`, it waits until the session wants no more of
# it, which `left` says. When `hold` is gone, `decoder` in the same directory decodes. It is called by a link in that directory.
data=$(dirname "$0")
if [ -e "$data/hold" ]; then
    exec 3<&1
    {
        : >"$data/held"
        if [ "$(cat "$data/hold")" = rest ]; then
            # What it is told comes to its end then.
            cat <&3 >/dev/null
            : >"$data/left"
        fi
        while [ -e "$data/hold" ]; do sleep 0.02; done
    } &
    wait
    exec 3<&-
fi
exec "$data/decoder" "$@"
