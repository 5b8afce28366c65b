# bash completion for rhinod
_rhinod() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=
    case $before in
        --cheaper-algo) words="adaptive spare spare2 backlog busyness manual" ;;
        completions) words="bash zsh fish" ;;
    esac
    if [[ -n $words ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    elif [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "--socket --uwsgi-socket --protocol --listen --abstract-socket --chmod-socket --chown-socket --reuse-port --processes --need-app --lazy --lazy-apps --threads --check-interval --cheap --cheaper --cheaper-initial --cheaper-algo --cheaper-step --cheaper-overload --cheaper-rss-limit-soft --cheaper-rss-limit-hard --idle --die-on-idle --cheaper-busyness-max --cheaper-busyness-min --cheaper-busyness-multiplier --cheaper-busyness-penalty --cheaper-busyness-verbose --cheaper-busyness-backlog-alert --cheaper-busyness-backlog-multiplier --cheaper-busyness-backlog-step --cheaper-busyness-backlog-nonzero --ignore-sigpipe --ignore-write-errors --disable-write-exception --max-vars --buffer-size --max-requests --max-requests-delta --min-worker-lifetime --max-worker-lifetime --max-worker-lifetime-delta --socket-timeout --reload-on-as --reload-on-rss --limit-post --reload-mercy --worker-reload-mercy --exit-on-reload --die-on-term --reload-on-fd --brutal-reload-on-fd --touch-reload --touch-workers-reload --touch-chain-reload --touch-exec --fs-reload --fs-brutal-reload --reload-on-exception --reload-on-exception-type --reload-on-exception-value --reload-on-exception-repr --master-fifo --forkbomb-delay --memory-report --disable-logging --touch-logreopen --logto --logto2 --log-format --logformat-strftime --logfile-chown --logfile-chmod --log-reopen --log-truncate --log-date --log-zero --log-slow --log-4xx --log-5xx --log-big --log-sendfile --log-ioerror --log-micros --log-x-forwarded-for --daemonize --umask --auto-procname --procname-prefix --procname-prefix-spaced --procname-append --procname --procname-master --pidfile --pidfile2 --safe-pidfile --safe-pidfile2 --uid --gid --add-gid --master-as-root --chdir --chdir2 --env --unenv --vacuum --manage-script-name --catch-exceptions --mount --wsgi-file --module --callable --virtualenv --pythonpath --import --shared-import --pyargv --optimize --py-autoreload --rust-app --python-executable --load-timeout --reload-on-term --cheaper-target-wait --cheaper-idle --cheaper-log --log-format-json --trusted-proxy --hook-asap --hook-as-root --hook-as-user --hook-as-user-atexit --hook-pre-app --hook-post-app --hook-post-fork --hook-accepting --hook-accepting1 --hook-accepting-once --hook-accepting1-once --hook-master-start --hook-touch --exec-asap --exec-as-root --exec-as-user --exec-as-user-atexit --exec-pre-app --exec-post-app --config --fallback-config --strict --set --set-placeholder --declare-option --blacklist --end-blacklist --whitelist --end-whitelist --inherit --include --inject-before --inject-after --ini --yaml --json --get --stop --reload --pause --connect-and-read --help --cheaper-algo-list --dump-options --show-config --version --attach-daemon --attach-control-daemon --smart-attach-daemon --smart-attach-daemon2 --attach-daemon2 --daemons-honour-stdin --locks" -- "$word"))
    elif (( COMP_CWORD == 1 )); then
        COMPREPLY=($(compgen -W "check show simulate status completions man" -- "$word") $(compgen -f -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _rhinod rhinod
