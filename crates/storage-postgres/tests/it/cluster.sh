# A PostgreSQL server for tests: cluster.sh FOLDER PORT STANDBY_PORT. Takes commands, one a line, and answers each with a
# line; when there are no more, or whoever gives them has ended in any way, the servers stop and the folder goes.
folder=$1 port=$2 standby_port=$3
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort --version-sort | tail -1)
trap '' INT

as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        "$@"
    fi
}

control() {
    as_postgres "$programs/pg_ctl" --pgdata "$folder/$1" --log "$folder/$1.log" --wait --silent "${@:2}" >/dev/null 2>&1 </dev/null
}

configure() {
    {
        echo "listen_addresses = '127.0.0.1'"
        echo "port = $2"
        echo "unix_socket_directories = ''"
        echo 'max_connections = 700'
        echo 'shared_buffers = 64MB'
        echo 'hot_standby_feedback = on'
    } >>"$folder/$1/postgresql.conf"
}

cd / || exit
[ "$(id -u)" -ne 0 ] || chown postgres: "$folder"
chmod 700 "$folder"
as_postgres "$programs/initdb" --pgdata "$folder/primary" --auth trust --username postgres --encoding UTF8 --locale C \
    --no-sync >/dev/null 2>&1
configure primary "$port"
echo 'host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust' >"$folder/primary/pg_hba.conf"

while read -r command argument; do
    case $command in
    start) control primary start ;;
    crash) control primary stop --mode immediate ;;
    stop) control primary stop --mode fast ;;
    standby)
        as_postgres "$programs/pg_basebackup" --pgdata "$folder/standby" --host 127.0.0.1 --port "$port" --username postgres \
            --wal-method stream --write-recovery-conf --checkpoint fast </dev/null >/dev/null 2>&1 &&
            sed --in-place "s/^primary_conninfo = '/&application_name=standby /" "$folder/standby/postgresql.auto.conf" &&
            configure standby "$standby_port" &&
            control standby start
        ;;
    reload) control primary reload ;;
    promote) control standby promote ;;
    tls)
        (
            key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
            cd "$folder" && openssl req -x509 "${key[@]}" -keyout ca.key -out ca.pem -days 2 -subj /CN=ca &&
                openssl req "${key[@]}" -keyout primary/server.key -out server.csr -subj /CN=server &&
                openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                    -out primary/server.crt -extfile <(echo 'subjectAltName = IP:127.0.0.1') &&
                { [ "$(id -u)" -ne 0 ] || chown postgres: primary/server.key primary/server.crt; } &&
                chmod 600 primary/server.key && echo 'ssl = on' >>primary/postgresql.conf
        ) </dev/null >/dev/null 2>&1
        ;;
    setting) echo "$argument" >>"$folder/primary/postgresql.conf" ;;
    esac
    echo "$?"
done
control standby stop --mode immediate
control primary stop --mode immediate
rm -rf "$folder"
