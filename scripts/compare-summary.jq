# From all turns to a median and a spread of each figure. Input: what scripts/compare gives as variables.

def spread:
  map(numbers) | sort
  | if length == 0 then null
    else { median: (if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end),
           min: .[0], max: .[-1] } end;

# Lines of a name and a value.
def pairs: split("\n") | map(select(. != "") | capture("^(?<key>[^ ]+) (?<value>.*)$")) | from_entries;

# In the order in which they came.
def names(of): reduce .[] as $one ([]; ($one | of) as $name | if index($name) then . else . + [$name] end);

# The figures that are compared.
def figures:
  { acked_per_second: map(.acked_per_second) | spread,
    delivered_per_second: map(.delivered_per_second) | spread,
    ack_p50_us: map(.acks.p50_us) | spread,
    ack_p99_us: map(.acks.p99_us) | spread,
    delivery_p50_us: map(.deliveries.p50_us) | spread,
    delivery_p99_us: map(.deliveries.p99_us) | spread,
    server_cpu_us_per_message: map(.server_cpu_us_per_message) | spread,
    server_cpu_us_per_delivery: map(.server_cpu_us_per_delivery) | spread,
    server_cpu_percent: map(.server_cpu_percent) | spread,
    driver_cpu_percent: map(.driver_cpu_percent) | spread,
    refused: map(.refused) | add,
    unanswered: map(.unanswered) | add,
    server_kib_idle: map(.server_kib_idle) | spread,
    server_bytes_per_connection: map(.server_bytes_per_connection) | spread,
    socket_bytes_per_connection: map(.socket_bytes_per_connection) | spread };

($commands | pairs) as $commands
| { date: $date, quick: ($quick != ""), turns: $turns, seconds: $seconds,
    machine: { processor: $processor, cores: $cores, kernel: $kernel, load_before: ($load | tonumber) },
    versions: ($versions | pairs),
    workloads: [ $runs | names(.workload)[] as $workload
      | { workload: $workload, arguments: $commands[$workload],
          peers: [ $runs | map(select(.workload == $workload)) | names(.peer)[] as $peer
            | map(select(.peer == $peer)) as $turns
            | { peer: $peer, protocol: ($turns | map(.protocol // empty) | first),
                failed: ($turns | map(select(.failed)) | length) }
              + ($turns | map(.figures // empty) | figures) ] } ],
    stores: [ $stores | group_by([.store, .clients])[]
      | { store: .[0].store, clients: .[0].clients,
          per_second: map(.per_second) | spread, mean_us: map(.mean_us) | spread } ],
    runs: $runs }
