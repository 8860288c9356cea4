# Servers that scripts/compare starts and stops. To be sourced. For each there is start_NAME, which sets what the driver is
# told (`driver_arguments`) and adds the processes to be stopped to `running`. They may look at `workload`.

running=()
driver_arguments=()

# Longest wait for a server to listen, and to stop.
listen_patience_s=60
stop_patience_s=30
# Connections of ejabberd to its database.
pool_size=32
# People that ejabberd knows.
registered_people=20000

start_peer() {
    peer_folder=$folder/peer
    mkdir "$peer_folder"
    chmod 711 "$peer_folder"
    "start_$1"
}

# Stops what was started, the last one first, and throws its data away.
stop_peer() {
    local index
    for ((index = ${#running[@]} - 1; index >= 0; index--)); do
        stop_process "${running[index]}"
    done
    running=()
    rm -rf "$folder/peer"
}

# PostgreSQL waits for its clients after SIGTERM, but not after SIGINT.
stop_process() {
    local process=$1 signal=TERM tenth
    [ "$(cat "/proc/$process/comm" 2>/dev/null)" != postgres ] || signal=INT
    kill -"$signal" "$process" 2>/dev/null || true
    for ((tenth = 0; tenth < stop_patience_s * 10; tenth++)); do
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
}

can_connect() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); can_connect "$port"; do :; done
    echo "$port"
}

# until_it WORDS…: waits until a command succeeds, as long as the process started last lives.
until_it() {
    local tenth
    for ((tenth = 0; tenth < listen_patience_s * 10; tenth++)); do
        "$@" && return
        kill -0 "${running[-1]}" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# ---- Starling

# The driver starts it itself, with its people in it, and throws it away.
start_starling() {
    driver_arguments=(--protocol starling --binary "$starling")
}

# ---- mosquitto: MQTT

start_mosquitto() {
    local port
    port=$(free_port)
    {
        echo "listener $port 127.0.0.1"
        echo 'allow_anonymous true'
        echo 'persistence true'
        echo "persistence_location $peer_folder/"
        echo 'max_inflight_messages 0'
        echo 'max_queued_messages 0'
        echo 'set_tcp_nodelay true'
        echo 'sys_interval 0'
        echo 'log_dest stderr'
        echo 'log_type error'
        echo 'log_type warning'
        echo "user $(id -un)"
        printf '%s\n' "$@"
    } >"$peer_folder/mosquitto.conf"
    # It is not in everybody's path.
    PATH=$PATH:/usr/sbin mosquitto -c "$peer_folder/mosquitto.conf" &
    running+=("$!")
    until_it can_connect "$port" || return
    driver_arguments=(--protocol mqtt-kept --address "127.0.0.1:$port" --process "${running[-1]}")
}

# The same, as durable as it can be: it writes all it has whenever something has changed.
start_mosquitto-saving() {
    start_mosquitto 'autosave_on_changes true' 'autosave_interval 1'
}

# ---- nats-server: MQTT

# Its sessions and messages are in JetStream, in files.
start_nats() {
    local port
    port=$(free_port)
    cat >"$peer_folder/nats.conf" <<CONF
server_name: compare
listen: "127.0.0.1:$(free_port)"
max_connections: 100000
jetstream { store_dir: "$peer_folder/jetstream" }
mqtt { listen: "127.0.0.1:$port", max_ack_pending: 65535 }
CONF
    # It is not in everybody's path.
    PATH=$PATH:/usr/sbin nats-server --config "$peer_folder/nats.conf" &
    running+=("$!")
    until_it can_connect "$port" || return
    driver_arguments=(--protocol mqtt-kept --address "127.0.0.1:$port" --process "${running[-1]}")
}

# ---- Prosody: XMPP

# Anybody may sign in; what is said is archived in files.
start_prosody() {
    local port
    port=$(free_port)
    cat >"$peer_folder/prosody.cfg.lua" <<CONF
run_as_root = true
pidfile = "$peer_folder/prosody.pid"
data_path = "$peer_folder/data"
log = { warn = "*console" }
network_backend = "epoll"
c2s_ports = { $port }
c2s_interfaces = { "127.0.0.1" }
s2s_ports = { }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "insecure"
insecure_open_authentication = "Yes please, I know what I'm doing!"
storage = "internal"
archive_expires_after = "never"
default_archive_policy = true
limits = { }
modules_enabled = { "saslauth", "roster", "disco", "smacks", "mam" }
modules_disabled = { "s2s", "offline" }
VirtualHost "localhost"
Component "conference.localhost" "muc"
    modules_enabled = { "muc_mam" }
    restrict_room_creation = false
    muc_room_default_presence_broadcast = { visitor = false, participant = false, moderator = false }
CONF
    mkdir "$peer_folder/data"
    prosody --config "$peer_folder/prosody.cfg.lua" -F &
    running+=("$!")
    until_it can_connect "$port" || return
    driver_arguments=(--protocol xmpp --address "127.0.0.1:$port" --process "${running[-1]}")
}

# ---- PostgreSQL

postgresql_command() {
    local folders=(/usr/lib/postgresql/*/bin)
    echo "${folders[-1]}/$1"
}

# PostgreSQL does not run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        exec "$@"
    fi
}

query() {
    local database=$1
    shift
    "$(postgresql_command psql)" --quiet --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 \
        --host 127.0.0.1 --port "$postgresql_port" --username postgres --dbname "$database" "$@"
}

# Starts one in a folder, and makes it if it is not there. Sets postgresql_port.
start_postgresql() {
    local data=$1
    if [ ! -d "$data" ]; then
        mkdir "$data"
        [ "$(id -u)" -ne 0 ] || chown postgres: "$data"
        (cd / && as_postgres "$(postgresql_command initdb)" --pgdata "$data" --auth trust --username postgres \
            --encoding UTF8 --locale C) >"$folder/postgresql.log" || return
        {
            echo "listen_addresses = '127.0.0.1'"
            echo "unix_socket_directories = ''"
            echo 'max_connections = 600'
            echo 'shared_buffers = 512MB'
            echo 'max_wal_size = 4GB'
        } >>"$data/postgresql.conf"
    fi
    postgresql_port=$(free_port)
    (cd / && as_postgres "$(postgresql_command postgres)" -D "$data" -p "$postgresql_port") >>"$folder/postgresql.log" 2>&1 &
    running+=("$!")
    postgresql_process=$!
    until_it postgresql_answers
}

postgresql_answers() { query postgres --command 'select 1' >/dev/null 2>&1; }

# Its processes that stay, with commas between them.
postgresql_processes() {
    printf '%s,' "$postgresql_process"
    query postgres --command "select string_agg(pid::text, ',') from pg_stat_activity
        where backend_type <> 'autovacuum worker' and application_name <> 'psql'"
}

# ---- ejabberd: XMPP, with the archive in PostgreSQL

ejabberd_libraries() { dpkg -L ejabberd | sed -n 's,/ejabberd-[^/]*/ebin$,,p' | head -1; }

# A file of the package that has no command.
erlang_postgresql_driver() {
    local found=(/usr/lib/erlang/lib/p1_pgsql-*)
    echo "${found[-1]}"
}

# A database with the people in it, made once, for each turn to start from.
ejabberd_database() {
    local process
    [ ! -d "$folder/ejabberd-database" ] || return 0
    start_postgresql "$folder/ejabberd-database" || return
    query postgres --command 'create database ejabberd' || return
    query ejabberd --file /usr/share/ejabberd/sql/pg.sql || return
    query ejabberd --command "insert into users (username, password)
        select 'person-' || number, 'starling-load' from generate_series(0, $registered_people - 1) number" || return
    process=${running[-1]}
    unset 'running[-1]'
    stop_process "$process"
}

ejabberd_connected() {
    local count
    count=$(query ejabberd --command "select count(*) from pg_stat_activity
        where datname = 'ejabberd' and application_name <> 'psql'")
    [ "$count" -ge "$pool_size" ] || { echo "only $count of $pool_size connections to the database are there"; return 1; }
}

start_ejabberd() {
    local port processes data=$peer_folder/database
    ejabberd_database || return
    cp --archive "$folder/ejabberd-database" "$data"
    start_postgresql "$data" || return
    port=$(free_port)
    ejabberd_configuration "$port" >"$peer_folder/ejabberd.yml"
    (
        export ERL_LIBS EJABBERD_CONFIG_PATH=$peer_folder/ejabberd.yml EJABBERD_LOG_PATH=$peer_folder/ejabberd.log
        export ERL_CRASH_DUMP=/dev/null ERL_MAX_PORTS=$open_files
        ERL_LIBS=$(ejabberd_libraries)
        # Without a name it needs no epmd, which would stay.
        exec erl +K true +P 1000000 -noinput -mnesia dir "\"$peer_folder/mnesia\"" -s ejabberd
    ) &
    running+=("$!")
    until_it can_connect "$port" || return
    # It connects to its database when it first needs to; only then is it known which processes are to be watched.
    "$driver" run chat --people 2 --protocol xmpp --address "127.0.0.1:$port" --process "${running[-1]}" \
        --warm-up 0 --seconds 1 --quiet || return
    ejabberd_connected || return
    processes=${running[-1]}
    # Each process of PostgreSQL counts the memory that they share, so for memory ejabberd is looked at alone.
    [ "$workload" = idle ] || processes+=,$(postgresql_processes)
    driver_arguments=(--protocol xmpp --address "127.0.0.1:$port" --process "$processes")
}

# Only the modules that are needed; no limits; in rooms, presence is told to nobody else.
ejabberd_configuration() {
    cat <<YAML
hosts: [localhost]
loglevel: warning
log_rotate_count: 0
listen:
  - port: $1
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    shaper: none
    max_stanza_size: 262144
    max_fsm_queue: 100000
    backlog: 4096
auth_method: [sql]
auth_password_format: plain
default_db: sql
sql_type: pgsql
sql_server: "127.0.0.1"
sql_port: $postgresql_port
sql_database: ejabberd
sql_username: postgres
sql_password: ""
sql_pool_size: $pool_size
modules:
  mod_mam:
    db_type: sql
    default: always
  mod_muc:
    host: conference.localhost
    db_type: mnesia
    history_size: 0
    max_users: 20000
    max_user_conferences: 20000
    default_room_options:
      mam: true
      max_users: 20000
      persistent: false
      presence_broadcast: []
  mod_stream_mgmt:
    ack_timeout: infinity
    max_ack_queue: infinity
    resume_timeout: 0
YAML
}
