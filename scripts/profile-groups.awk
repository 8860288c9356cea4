# From lines of `perf report` (share, object, [k] or [.], function) to shares of groups.

function group(kernel, object, name,    crate) {
    if (kernel) {
        if (name ~ /tcp|skb|inet|^ip|sock|net|__dev|loopback|^sk_|csum|_copy_(to|from)_iter$|nf_|dst_/) return "kernel: network"
        if (name ~ /^ep_|epoll|eventfd/) return "kernel: epoll"
        if (name ~ /futex|sched|switch|wake|plist|pick_|queue_entity|update_|ttwu|_raw_spin_unlock_irqrestore|hrtimer|timer|idle|cpu/) return "kernel: scheduling and waking"
        if (name ~ /ext4|jbd2|blk|bio|xas|folio|filemap|virt|iowrite|writeback|mpage|buffer|page_|pread|pwrite|dd_|sync/) return "kernel: disk"
        return "kernel: system calls and the rest"
    }
    if (object ~ /vdso/) return "clocks"
    if (name ~ /mem(move|cpy|set|cmp)/) return "copying and comparing memory"
    if (name ~ /rjem|rallocx|tcache|arena|eset_|edata|extent|emap|malloc|_int_free|cfree|unlink_chunk|__rust/) return "allocation"
    if (object !~ /starling/) return "libc, the rest"
    if (name !~ /::/) return "SQLite"
    crate = name
    while (sub(/^(<|&|mut |\*|core::ptr::drop_in_place<|alloc::(sync|boxed|vec)::[A-Za-z]+<|core::(option::Option|result::Result|pin::Pin)<|core::panic::unwind_safe::AssertUnwindSafe<)/, "", crate)) ;
    sub(/::.*/, "", crate)
    if (crate ~ /^(serde|serde_json|serde_core|itoa|memchr)$/ || name ~ /door_web::json|wire::/) return "JSON"
    if (crate ~ /^(tungstenite|tokio_tungstenite|axum|axum_core|hyper|hyper_util|http|httparse|tower|net)$/ || name ~ /door_web::socket/) return "HTTP and WebSocket"
    if (crate ~ /^(tokio|mio|futures_util|futures_core)$/ || name ~ /core::future/) return "runtime: tasks, channels, timers"
    if (crate ~ /^(foldhash|hashbrown)$/ || name ~ /hash::sip|BuildHasher|Hash>::hash/) return "hashing and hash tables"
    if (crate ~ /^(engine|bus|quick_cache|governor|quanta|dashmap)$/) return "engine"
    if (crate ~ /^(storage_sqlite|rusqlite|wal_buffer|storage)$/) return "storage around SQLite"
    if (crate ~ /^(metrics|metrics_exporter_prometheus|metrics_util|tracing|tracing_core)$/) return "metrics and tracing"
    if (crate ~ /^(domain|smol_str|door_web|wire)$/) return "domain and conversion"
    if (crate ~ /^(sha2|hmac|argon2|blake2|digest|base64)$/) return "tokens and passwords"
    return "the standard library, bytes and the rest"
}

{
    share = $1
    sub(/%/, "", share)
    name = $0
    sub(/^.*\[[k.]\] /, "", name)
    shares[group($3 == "[k]", $2, name)] += share
}

END {
    for (name in shares) printf "%6.1f  %s\n", shares[name], name
}
