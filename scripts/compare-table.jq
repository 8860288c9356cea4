# From compare.json to Markdown, with what is not equal said in each row.

def round1: . * 10 | round / 10;
def grouped: tostring | if test("^[0-9]{4,}$") then [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(" ") else . end;
def spread: if . == null then "–" else
  if .min == .max then "\(.median | round1 | grouped)"
  else "\(.median | round1 | grouped) (\(.min | round1 | grouped)–\(.max | round1 | grouped))" end end;
def row: "| " + join(" | ") + " |";

def titles: {
  "chat": "People talk in pairs, each with one message on its way",
  "chat-8": "People talk in pairs, each with eight messages on their way",
  "pair": "One pair talks, one message of each on its way: latency of an idle machine",
  "group": "One talks, all members of the group listen",
  "idle": "Connections on which nothing happens"
};

# What is not equal, for a kind of workload.
def kind: if . == "group" then "group" elif . == "idle" then "idle" else "chat" end;
def not_equal: {
  "starling": {
    "chat": "acknowledged when it is on disk: ordered, kept as history for both, at most once by the client's id; JSON on WebSocket",
    "group": "acknowledged when it is on disk, not when it is delivered: ordered, kept as history; permissions of each member apply; a room with so much to tell gathers it for up to 50 ms",
    "idle": "sessions with a sync position; people are signed in"
  },
  "mosquitto": {
    "chat": "acknowledged from memory: lost in a crash (it saves each half hour); no history, order or accounts; QoS 1, so that receivers acknowledge too",
    "group": "acknowledged from memory, before it is delivered; no history; each receiver acknowledges each message, which the others do not",
    "idle": "a kept session with no subscription; no accounts"
  },
  "mosquitto-saving": {
    "chat": "acknowledged from memory; right after, all sessions and undelivered messages are written to a file and synced; no history, order or accounts; QoS 1, so that receivers acknowledge too",
    "group": "the same; each receiver acknowledges each message, which the others do not",
    "idle": "a kept session with no subscription; no accounts"
  },
  "nats": {
    "chat": "acknowledged when JetStream has written it to a file, which is synced every two minutes; no order over rooms or accounts; QoS 1, so that receivers acknowledge too",
    "group": "the same; each receiver acknowledges each message, which the others do not",
    "idle": "a kept session with no subscription; no accounts"
  },
  "prosody": {
    "chat": "acknowledged (XEP-0198) when it is handled; archived in files that nobody syncs, for each of the two",
    "group": "acknowledged when the room sends it back, archived in files that nobody syncs",
    "idle": "signed in without a check, presence sent; only the modules that are needed here"
  },
  "ejabberd": {
    "chat": "acknowledged (XEP-0198) when it is in the sender's archive and PostgreSQL has synced it; archived twice, once for each of the two; processor time with PostgreSQL's",
    "group": "acknowledged when the room sends it back, archived once in PostgreSQL; rooms tell nobody of others' presence, to their favour; processor time with PostgreSQL's",
    "idle": "signed in, presence sent; only the modules that are needed here; without PostgreSQL's memory"
  }
};

def workload_table:
  .workload as $workload
  | if $workload == "idle" then
      ["server", "server, bytes per connection", "kernel's sockets of both sides, bytes per connection",
       "server with all connected, KiB", "what is not equal"],
      ["---", "---", "---", "---", "---"],
      (.peers[] | [.peer, (.server_bytes_per_connection | spread), (.socket_bytes_per_connection | spread),
        (.server_kib_idle | spread)] + [(if .failed > 0 then "**\(.failed) turns failed**; " else "" end)
          + (not_equal[.peer][$workload | kind] // "")])
    else
      ["server", "acknowledged per s", "ack p50 µs", "ack p99 µs", "delivered per s", "delivery p50 µs",
       "server CPU µs per message", "per delivery", "driver CPU %", "what is not equal"],
      [range(10) | "---"],
      (.peers[] | [.peer]
        + ([.acked_per_second, .ack_p50_us, .ack_p99_us, .delivered_per_second, .delivery_p50_us,
            .server_cpu_us_per_message, .server_cpu_us_per_delivery, .driver_cpu_percent] | map(spread))
        + [(if .failed > 0 then "**\(.failed) turns failed**; " else "" end)
          + (if (.refused // 0) + (.unanswered // 0) > 0 then "**refused \(.refused), unanswered \(.unanswered)**; " else "" end)
          + (not_equal[.peer][$workload | kind] // "")])
    end
  | row;

"# Starling and its peers",
"",
(if .quick then "**Made with `--quick`: these figures only show that all works.**", "" else empty end),
"\(.date), \(.machine.cores) × \(.machine.processor), Linux \(.machine.kernel), load before \(.machine.load_before). "
  + "Driver and server share the machine; servers run one after another, \(.turns) turns of \(.seconds) s each, in turns. "
  + "Given are medians, and in parentheses the least and the most. "
  + ([.versions | to_entries[] | "\(.key) \(.value)"] | join(", ")) + ". Written by `make compare`.",
"",
"Each server speaks its own protocol: Starling WebSocket with JSON, mosquitto and nats-server MQTT 3.1.1, ejabberd and Prosody XMPP on plain TCP; none "
  + "uses TLS. A message has 180 bytes of text. So the figures compare servers together with their protocols, and they don't "
  + "promise the same, as each row says. What is delivered counts the senders' own copies too, where the protocol has them: "
  + "Starling's everywhere, the others' in groups.",
(.workloads[] | "", "## \(titles[.workload])", "", "`starling-load run \(.arguments)`", "", workload_table),
(if (.stores | length) == 0 then empty else
  "", "## What a durable message costs other stores",
  "",
  "By their own benchmarks: a bound for a server that keeps its messages there. Redis 7: `XADD` of 180 bytes to one of 10 000 "
    + "streams, `appendfsync always`. PostgreSQL 15: a prepared `INSERT` of 180 bytes and its commit. Neither checks who may "
    + "write, nor tells anybody; compare them with the appends of `make bench`.",
  "",
  (["store", "clients", "messages per s", "mean µs"], [range(4) | "---"],
   (.stores[] | [.store, (.clients | tostring), (.per_second | spread), (.mean_us | spread)]) | row)
end)
