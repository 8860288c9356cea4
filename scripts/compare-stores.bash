# What a durable message costs other stores, by their own benchmarks: a bound for servers that would keep their messages there.
# To be sourced. Each prints a line of JSON for each number of clients.

store_clients=(1 32 512)
message_bytes=180
store_rooms=10000

store_line() {
    jq --null-input --compact-output --arg store "$1" --argjson clients "$2" --argjson per_second "$3" --argjson mean_us "$4" \
        '{ $store, $clients, per_second: ($per_second | round), mean_us: ($mean_us | round) }'
}

# Appends to streams; each is on disk before it is acknowledged.
measure_redis() {
    local port clients text run rate=2000 figures result=0
    peer_folder=$folder/peer
    mkdir "$peer_folder"
    port=$(free_port)
    redis-server --bind 127.0.0.1 --port "$port" --dir "$peer_folder" --appendonly yes --appendfsync always --save '' \
        --maxclients 10000 >"$folder/redis.log" 2>&1 &
    running+=("$!")
    until_it can_connect "$port" || result=1
    text=$(printf "%${message_bytes}s" '' | tr ' ' x)
    for clients in "${store_clients[@]}"; do
        [ "$result" -eq 0 ] || break
        # It counts requests, not seconds: a small run says how many are enough.
        for run in short long; do
            figures=$(redis-benchmark -h 127.0.0.1 -p "$port" -c "$clients" -r "$store_rooms" --csv \
                -n "$(awk -v rate="$rate" -v seconds="$([ "$run" = short ] && echo 0.5 || echo "$seconds")" \
                    'BEGIN { printf "%d", rate * seconds + 1 }')" \
                XADD room:__rand_int__ '*' text "$text" 2>/dev/null | tail --lines 1 | tr -d '"')
            rate=$(cut -d, -f2 <<<"$figures")
        done
        store_line redis "$clients" "$rate" "$(cut -d, -f3 <<<"$figures" | awk '{ print $1 * 1000 }')" || result=1
    done
    stop_peer
    return "$result"
}

# Inserts of one message each, prepared, each committed and on disk before the next.
measure_postgresql() {
    local clients output result=0
    peer_folder=$folder/peer
    mkdir "$peer_folder"
    chmod 711 "$peer_folder"
    start_postgresql "$peer_folder/database" || result=1
    query postgres --command 'create table message (room int, number bigserial, sender int, sent timestamptz default now(),
        text text not null, primary key (room, number))' || result=1
    printf '%s\n' "\\set room random(1, $store_rooms)" \
        "insert into message (room, sender, text) values (:room, 1, repeat('x', $message_bytes));" >"$peer_folder/insert.sql"
    for clients in "${store_clients[@]}"; do
        [ "$result" -eq 0 ] || break
        output=$("$(postgresql_command pgbench)" --host 127.0.0.1 --port "$postgresql_port" --username postgres --no-vacuum \
            --client "$clients" --jobs "$((clients < 2 ? 1 : 2))" --protocol prepared --time "$seconds" \
            --file "$peer_folder/insert.sql" postgres 2>&1) || result=1
        store_line postgresql "$clients" "$(awk '/^tps = / { print $3 }' <<<"$output")" \
            "$(awk '/^latency average = / { print $4 * 1000 }' <<<"$output")" || result=1
    done
    stop_peer
    return "$result"
}
