// Generated from crates/wire by `npm run generate`; do not edit.
export interface components {
    schemas: {
        /** @description Authenticates the connection and starts the flow of pushes. */
        Connect: {
            /**
             * Format: int64
             * @description If given, the answer holds what changed since this commit (0: everything), with no gap to the pushes that follow.
             */
            since?: number;
            /** @description An access token. */
            token: string;
        };
        /** @description Answer to `connect`. */
        Connected: {
            /** @description By which device. */
            device: string;
            /**
             * @description Which history seqs and commits are of. If it is not that of what the client has kept, the server was restored from a
             *     backup: drop what is kept (not what is still to be sent) and `sync` from 0.
             */
            epoch: string;
            /**
             * Format: int64
             * @description When the token ends; send `token.renew` with a new one before, or the server closes with 4401.
             */
            expires_at: number;
            /**
             * Format: int32
             * @description How often the client should send `ping` when it has nothing else to send, in milliseconds.
             */
            ping_interval_ms: number;
            /** @description What changed, if `since` was given. */
            sync?: components["schemas"]["SyncAnswer"];
            /** @description Who is connected. */
            user: string;
        };
        /** @description What a message says. */
        Content: components["schemas"]["TextContent"] & {
            /** @enum {string} */
            type: "text";
        };
        /** @description Creates a group. The creator is its owner (level 100); the members named are invited. */
        CreateRoom: {
            /** @description Makes a repeat safe, see `SendMessage.client_id`. */
            client_id?: string;
            /** @description The id, `[a-z0-9._=-]{1,64}`; absent: the server makes one. */
            id?: string;
            /** @description User ids to invite, at most 500. */
            invite?: string[];
            /**
             * @description The first settings; absent ones are: join by invitation, history for members, levels send 10, react 10, invite 10,
             *     remove 50, redact 50, settings 50, levels 90.
             */
            settings?: components["schemas"]["RoomSettings"];
        };
        /** @description Cursors of the joined members (in rooms with receipts; else only the asker's own). */
        CursorList: {
            /** @description By user id. */
            cursors: components["schemas"]["MemberCursors"][];
        };
        /** @description How far a user has got in a room. Moves only forward. */
        Cursors: {
            /**
             * Format: int64
             * @description Everything up to this seq has reached a device.
             */
            delivered: number;
            /**
             * Format: int64
             * @description Everything up to this seq has been read.
             */
            read: number;
            /**
             * Format: int64
             * @description How many messages there are up to `read`.
             */
            read_messages: number;
        };
        /** @description What happened on a day. */
        DayStatistics: {
            /**
             * Format: int64
             * @description Start of the day in UTC.
             */
            at: number;
            /** @description How often what happened: `messages`, `rooms`, `joins` … */
            counts: {
                [key: string]: number;
            };
        };
        /** @description The deletion of a message. */
        Deleted: {
            /**
             * Format: int64
             * @description Seq of the `message.deleted` event.
             */
            seq: number;
        };
        /** @description Deletes a message: its content is removed physically, its seq stays. */
        DeleteMessage: {
            /** @description As for sending. */
            client_id?: string;
            /** @description Why, at most 256 characters. */
            reason?: string;
        };
        /** @description One login of a user. */
        Device: {
            /**
             * Format: int64
             * @description When it signed in.
             */
            created_at: number;
            /** @description Whether it is the device that asks. */
            current: boolean;
            /** @description The id, immutable. */
            id: string;
            /**
             * Format: int64
             * @description When it last refreshed its tokens.
             */
            last_seen_at: number;
            /** @description The name given at login. */
            name: string;
        };
        /** @description The own devices. */
        DeviceList: {
            /** @description Newest first; revoked ones are gone. */
            devices: components["schemas"]["Device"][];
        };
        /** @description Names a device of one's own. */
        DeviceRef: {
            /** @description The device's id. */
            device: string;
        };
        /** @description The last edit of a message. */
        Edited: {
            /**
             * Format: int64
             * @description When.
             */
            at: number;
            /**
             * Format: int64
             * @description Seq of the `message.edited` event.
             */
            seq: number;
        };
        /** @description Replaces the content of an own message. */
        EditMessage: {
            /** @description As for sending. */
            client_id?: string;
            /** @description The new content. */
            content: components["schemas"]["Content"];
        };
        /**
         * @description Every error code of the native wire; `x-codes` says what is known of each.
         * @enum {string}
         */
        ErrorCode: "malformed_json" | "invalid_request" | "unknown_operation" | "not_found" | "method_not_allowed" | "unsupported_media_type" | "payload_too_large" | "request_timeout" | "unauthenticated" | "token_expired" | "token_revoked" | "refresh_reused" | "wrong_credentials" | "user_disabled" | "registration_closed" | "setup_token_invalid" | "directory_closed" | "user_exists" | "unknown_app" | "unknown_user" | "unknown_device" | "unknown_room" | "unknown_message" | "message_deleted" | "room_exists" | "room_full" | "not_a_member" | "not_invited" | "already_member" | "level_too_low" | "not_your_message" | "last_owner" | "direct_room_fixed" | "too_many_reactions" | "client_id_reused" | "admin_only" | "rate_limited" | "overloaded" | "storage_unavailable" | "draining" | "internal";
        /** @description One entry of a room's log, with what has become of it since (edits, redaction, reactions). */
        Event: components["schemas"]["EventBody"] & {
            /**
             * Format: int64
             * @description When the server accepted it.
             */
            at: number;
            /** @description The sender's own id for it, if it gave one. */
            client_id?: string;
            /**
             * Format: int64
             * @description The commit that wrote it.
             */
            commit: number;
            /** @description The room. */
            room: string;
            /** @description Who caused it. */
            sender: string;
            /**
             * Format: int64
             * @description Place in the room's log, dense from 1.
             */
            seq: number;
        };
        /** @description What happened, by `type`. */
        EventBody: {
            /** @description Direct or group. */
            kind: components["schemas"]["RoomKind"];
            /** @description The first settings. */
            settings: components["schemas"]["RoomSettings"];
            /** @enum {string} */
            type: "room.created";
        } | {
            /** @description What changed. */
            settings: components["schemas"]["RoomSettings"];
            /** @enum {string} */
            type: "room.updated";
        } | {
            /**
             * Format: int32
             * @description The level from now on, 0 to 100.
             */
            level: number;
            /** @description The state from now on. `left` with `user` ≠ `sender` means: removed. */
            state: components["schemas"]["MemberState"];
            /** @enum {string} */
            type: "member.updated";
            /** @description Whose. */
            user: string;
        } | (components["schemas"]["Message"] & {
            /** @enum {string} */
            type: "message.created";
        }) | {
            /** @description The new content; absent if the message has been deleted since. */
            content?: components["schemas"]["Content"];
            /**
             * Format: int64
             * @description Seq of the message.
             */
            target: number;
            /** @enum {string} */
            type: "message.edited";
        } | {
            /** @description Why, if said. */
            reason?: string;
            /**
             * Format: int64
             * @description Seq of the message.
             */
            target: number;
            /** @enum {string} */
            type: "message.deleted";
        } | {
            /** @description What came in addition. */
            added: string[];
            /** @description The user's whole set from now on. */
            keys: string[];
            /** @description What went away. */
            removed: string[];
            /**
             * Format: int64
             * @description Seq of the message.
             */
            target: number;
            /** @enum {string} */
            type: "reaction.updated";
        };
        /** @description A page of a room's log, ascending by seq. */
        EventPage: {
            /**
             * Format: int64
             * @description The room's head when this was read: edits, deletions and reactions up to this seq are already in the events.
             */
            as_of: number;
            /** @description The events the asker may see; seqs outside their membership are skipped. */
            events: components["schemas"]["Event"][];
            /** @description Whether there are visible events after the last. */
            has_newer: boolean;
            /** @description Whether there are visible events before the first. */
            has_older: boolean;
            /** @description Profiles of the users named in the events. */
            users: components["schemas"]["User"][];
        };
        /** @description Which part of a room's log to read. At most one of `before`, `after`, `around`; none means: the newest. */
        EventRange: {
            /**
             * Format: int64
             * @description Events with a larger seq.
             */
            after?: number;
            /**
             * Format: int64
             * @description Half before, this one, half after.
             */
            around?: number;
            /**
             * Format: int64
             * @description Events with a smaller seq, nearest first in choice, ascending in the answer.
             */
            before?: number;
            /**
             * Format: int32
             * @description At most this many, 1 to 200; 50 when absent.
             */
            limit?: number;
        };
        /** @description A field that was wrong. */
        FieldError: {
            /** @description Path in the body, e.g. `content.text`. */
            field: string;
            /** @description What is wrong with it, in English. */
            message: string;
        };
        /**
         * @description Who may read what.
         * @enum {string}
         */
        HistoryVisibility: "joined" | "invited" | "members" | "anyone";
        /** @description Parameters of an operation in a room. */
        InRoom_EventRange: {
            /**
             * Format: int64
             * @description Events with a larger seq.
             */
            after?: number;
            /**
             * Format: int64
             * @description Half before, this one, half after.
             */
            around?: number;
            /**
             * Format: int64
             * @description Events with a smaller seq, nearest first in choice, ascending in the answer.
             */
            before?: number;
            /**
             * Format: int32
             * @description At most this many, 1 to 200; 50 when absent.
             */
            limit?: number;
        } & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_MemberRange: {
            /** @description `next` of the page before. */
            cursor?: string;
            /**
             * Format: int32
             * @description At most this many, 1 to 500; 100 when absent.
             */
            limit?: number;
        } & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_MemberRef: {
            /** @description Makes a repeat safe. */
            client_id?: string;
            /** @description Who. */
            user: string;
        } & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_Nothing: Record<string, unknown> & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_Plain: {
            /** @description Makes a repeat safe. */
            client_id?: string;
        } & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_SendMessage: {
            /**
             * @description The sender's own id for this message, 1 to 64 characters of `[A-Za-z0-9._:=-]`, unique per device: a repeat with the same
             *     id is answered with the first one's receipt. REST may give it as `Idempotency-Key` instead.
             */
            client_id?: string;
            /** @description What to say. */
            content: components["schemas"]["Content"];
            /**
             * Format: int64
             * @description Seq of the message it answers.
             */
            reply_to?: number;
        } & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_SetCursors: {
            /**
             * Format: int64
             * @description Everything up to this seq has reached this user.
             */
            delivered?: number;
            /**
             * Format: int64
             * @description Everything up to this seq has been read (implies delivered).
             */
            read?: number;
        } & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_SetTyping: {
            /** @description True while typing; repeat at least every 5 s, it ends by itself after 6 s. */
            typing: boolean;
        } & {
            /** @description The room's id. */
            room: string;
        };
        /** @description Parameters of an operation in a room. */
        InRoom_UpdateRoom: {
            /** @description Makes a repeat safe. */
            client_id?: string;
            /** @description What changes. */
            settings: components["schemas"]["RoomSettings"];
        } & {
            /** @description The room's id. */
            room: string;
        };
        /**
         * @description Who may come in.
         * @enum {string}
         */
        JoinRule: "invite" | "open";
        /** @description The level (0 to 100) that each action needs. Presets: reader 0, member 10, moderator 50, admin 90, owner 100. */
        Levels: {
            /**
             * Format: int32
             * @description Invite users.
             */
            invite: number;
            /**
             * Format: int32
             * @description Change levels, up to one's own.
             */
            levels: number;
            /**
             * Format: int32
             * @description Set reactions.
             */
            react: number;
            /**
             * Format: int32
             * @description Delete others' messages.
             */
            redact: number;
            /**
             * Format: int32
             * @description Remove members of a lower level.
             */
            remove: number;
            /**
             * Format: int32
             * @description Send messages, edit own ones.
             */
            send: number;
            /**
             * Format: int32
             * @description Change settings.
             */
            settings: number;
        };
        /** @description Limits a client should know. */
        Limits: {
            /**
             * Format: int32
             * @description Largest REST body, in bytes.
             */
            body_bytes_max: number;
            /**
             * Format: int32
             * @description Longest `data` of a message, in bytes of JSON.
             */
            data_bytes_max: number;
            /**
             * Format: int32
             * @description Largest WebSocket frame, in bytes.
             */
            frame_bytes_max: number;
            /**
             * Format: int32
             * @description Most events in a page.
             */
            page_events_max: number;
            /**
             * Format: int32
             * @description Rooms with more members than this have no delivery and read ticks.
             */
            receipts_members_max: number;
            /**
             * Format: int32
             * @description Longest text of a message, in bytes of UTF-8.
             */
            text_bytes_max: number;
        };
        /** @description Signs a device in by password. */
        LoginRequest: {
            /** @description The app; absent means the server's default app. */
            app?: string;
            /** @description What the user's device list shows, at most 128 characters. */
            device_name?: string;
            /** @description The user's id. */
            id: string;
            /** @description The user's password. */
            password: string;
        };
        /** @description The own account. */
        Me: components["schemas"]["User"] & {
            /** @description Whether this user administers the server. */
            admin: boolean;
            /** @description The app the account lives in. */
            app: string;
            /**
             * Format: int64
             * @description When the account was created.
             */
            created_at: number;
            /** @description The device that asks. */
            device: components["schemas"]["Device"];
        };
        /** @description A member of a room. */
        Member: {
            /**
             * Format: int32
             * @description 0 to 100.
             */
            level: number;
            /** @description Invited or joined; left ones are not listed. */
            state: components["schemas"]["MemberState"];
            /** @description Who. */
            user: components["schemas"]["User"];
        };
        /** @description One member's cursors. */
        MemberCursors: components["schemas"]["Cursors"] & {
            /** @description Whose. */
            user: string;
        };
        /** @description A page of members. */
        MemberPage: {
            /** @description By user id. */
            members: components["schemas"]["Member"][];
            /** @description Opaque cursor of the next page, absent on the last. */
            next?: string;
        };
        /** @description Which members to list. */
        MemberRange: {
            /** @description `next` of the page before. */
            cursor?: string;
            /**
             * Format: int32
             * @description At most this many, 1 to 500; 100 when absent.
             */
            limit?: number;
        };
        /** @description Names a member: to invite or to remove. */
        MemberRef: {
            /** @description Makes a repeat safe. */
            client_id?: string;
            /** @description Who. */
            user: string;
        };
        /** @description The asker's own membership. */
        Membership: {
            /** @description Who invited, while invited. */
            invited_by?: string;
            /**
             * Format: int32
             * @description 0 to 100.
             */
            level: number;
            /** @description Invited, joined or left. */
            state: components["schemas"]["MemberState"];
        };
        /**
         * @description State of a member.
         * @enum {string}
         */
        MemberState: "invited" | "joined" | "left";
        /** @description A message: its content as it is now. */
        Message: {
            /** @description The present content; absent once deleted. */
            content?: components["schemas"]["Content"];
            /** @description The deletion, if any. */
            deleted?: components["schemas"]["Deleted"];
            /** @description The last edit, if any. */
            edited?: components["schemas"]["Edited"];
            /**
             * Format: int64
             * @description How many messages the room had with this one (dense from 1); unread = `room.messages` − `cursors.read_messages`.
             */
            number: number;
            /** @description Reactions as they are now, most used first. */
            reactions?: components["schemas"]["Reaction"][];
            /**
             * Format: int64
             * @description Seq of the message it answers.
             */
            reply_to?: number;
        };
        /** @description Nothing to say. */
        Nothing: Record<string, unknown>;
        /** @description Parameters of an operation on a member. */
        OnMember_Plain: {
            /** @description Makes a repeat safe. */
            client_id?: string;
        } & {
            /** @description The room's id. */
            room: string;
            /** @description The member's user id. */
            user: string;
        };
        /** @description Parameters of an operation on a member. */
        OnMember_SetLevel: {
            /** @description Makes a repeat safe. */
            client_id?: string;
            /**
             * Format: int32
             * @description 0 to 100, at most the asker's own.
             */
            level: number;
        } & {
            /** @description The room's id. */
            room: string;
            /** @description The member's user id. */
            user: string;
        };
        /** @description Parameters of an operation on a message. */
        OnMessage_DeleteMessage: {
            /** @description As for sending. */
            client_id?: string;
            /** @description Why, at most 256 characters. */
            reason?: string;
        } & {
            /** @description The room's id. */
            room: string;
            /**
             * Format: int64
             * @description Seq of the message.
             */
            seq: number;
        };
        /** @description Parameters of an operation on a message. */
        OnMessage_EditMessage: {
            /** @description As for sending. */
            client_id?: string;
            /** @description The new content. */
            content: components["schemas"]["Content"];
        } & {
            /** @description The room's id. */
            room: string;
            /**
             * Format: int64
             * @description Seq of the message.
             */
            seq: number;
        };
        /** @description Parameters of an operation on a message. */
        OnMessage_SetReactions: {
            /** @description As for sending. */
            client_id?: string;
            /** @description The whole set, at most 16 keys of 1 to 32 bytes; empty takes all back. */
            keys: string[];
        } & {
            /** @description The room's id. */
            room: string;
            /**
             * Format: int64
             * @description Seq of the message.
             */
            seq: number;
        };
        /** @description Opens the direct room with a user: finds it or creates it, one per pair. */
        OpenDirect: {
            /** @description The other user. */
            user: string;
        };
        /**
         * @description The operations, by `op`. Each but the first three is also a REST call of the same meaning; registering, signing in and
         *     refreshing tokens, which come before a connection, and the documents of the server are REST calls only.
         */
        Operation: {
            /** @enum {string} */
            op: "connect";
            /** @description → `Connected`. Must come first. */
            params: components["schemas"]["Connect"];
        } | {
            /** @enum {string} */
            op: "token.renew";
            /** @description → `Renewed` */
            params: components["schemas"]["RenewToken"];
        } | {
            /** @enum {string} */
            op: "ping";
            /** @description → `Nothing` */
            params: components["schemas"]["Nothing"];
        } | {
            /** @enum {string} */
            op: "sync";
            /** @description → `SyncAnswer` */
            params: components["schemas"]["SyncRequest"];
        } | {
            /** @enum {string} */
            op: "auth.logout";
            /** @description → `Nothing`. The connection ends after it. */
            params: components["schemas"]["Nothing"];
        } | {
            /** @enum {string} */
            op: "auth.password";
            /** @description → `Nothing` */
            params: components["schemas"]["PasswordChange"];
        } | {
            /** @enum {string} */
            op: "me.get";
            /** @description → `Me` */
            params: components["schemas"]["Nothing"];
        } | {
            /** @enum {string} */
            op: "me.update";
            /** @description → `Me` */
            params: components["schemas"]["ProfileUpdate"];
        } | {
            /** @enum {string} */
            op: "device.list";
            /** @description → `DeviceList` */
            params: components["schemas"]["Nothing"];
        } | {
            /** @enum {string} */
            op: "device.revoke";
            /** @description → `Nothing` */
            params: components["schemas"]["DeviceRef"];
        } | {
            /** @enum {string} */
            op: "user.get";
            /** @description → `User` */
            params: components["schemas"]["UserRef"];
        } | {
            /** @enum {string} */
            op: "user.search";
            /** @description → `UserPage` */
            params: components["schemas"]["UserSearch"];
        } | {
            /** @enum {string} */
            op: "presence.watch";
            /** @description → `PresenceList` */
            params: components["schemas"]["PresenceWatch"];
        } | {
            /** @enum {string} */
            op: "room.list";
            /** @description → `RoomPage` */
            params: components["schemas"]["RoomRange"];
        } | {
            /** @enum {string} */
            op: "room.create";
            /** @description → `Room` */
            params: components["schemas"]["CreateRoom"];
        } | {
            /** @enum {string} */
            op: "room.direct";
            /** @description → `Room` */
            params: components["schemas"]["OpenDirect"];
        } | {
            /** @enum {string} */
            op: "room.get";
            /** @description → `Room` */
            params: components["schemas"]["InRoom_Nothing"];
        } | {
            /** @enum {string} */
            op: "room.update";
            /** @description → `Receipt` */
            params: components["schemas"]["InRoom_UpdateRoom"];
        } | {
            /** @enum {string} */
            op: "room.join";
            /** @description → `Receipt` */
            params: components["schemas"]["InRoom_Plain"];
        } | {
            /** @enum {string} */
            op: "room.leave";
            /** @description → `Receipt` */
            params: components["schemas"]["InRoom_Plain"];
        } | {
            /** @enum {string} */
            op: "member.list";
            /** @description → `MemberPage` */
            params: components["schemas"]["InRoom_MemberRange"];
        } | {
            /** @enum {string} */
            op: "member.invite";
            /** @description → `Receipt` */
            params: components["schemas"]["InRoom_MemberRef"];
        } | {
            /** @enum {string} */
            op: "member.remove";
            /** @description → `Receipt` */
            params: components["schemas"]["OnMember_Plain"];
        } | {
            /** @enum {string} */
            op: "member.level";
            /** @description → `Receipt` */
            params: components["schemas"]["OnMember_SetLevel"];
        } | {
            /** @enum {string} */
            op: "event.list";
            /** @description → `EventPage` */
            params: components["schemas"]["InRoom_EventRange"];
        } | {
            /** @enum {string} */
            op: "message.send";
            /** @description → `Receipt` */
            params: components["schemas"]["InRoom_SendMessage"];
        } | {
            /** @enum {string} */
            op: "message.edit";
            /** @description → `Receipt` */
            params: components["schemas"]["OnMessage_EditMessage"];
        } | {
            /** @enum {string} */
            op: "message.delete";
            /** @description → `Receipt` */
            params: components["schemas"]["OnMessage_DeleteMessage"];
        } | {
            /** @enum {string} */
            op: "reaction.set";
            /** @description → `Receipt` */
            params: components["schemas"]["OnMessage_SetReactions"];
        } | {
            /** @enum {string} */
            op: "cursor.set";
            /** @description → `Cursors` */
            params: components["schemas"]["InRoom_SetCursors"];
        } | {
            /** @enum {string} */
            op: "cursor.list";
            /** @description → `CursorList` */
            params: components["schemas"]["InRoom_Nothing"];
        } | {
            /** @enum {string} */
            op: "typing.set";
            /** @description → `Nothing` */
            params: components["schemas"]["InRoom_SetTyping"];
        } | {
            /** @enum {string} */
            op: "statistics.get";
            /** @description → `StatisticsList` */
            params: components["schemas"]["StatisticsRange"];
        };
        /** @description Changes the own password. */
        PasswordChange: {
            /** @description The password until now. */
            current_password: string;
            /** @description The password from now on, 8 to 256 bytes. */
            new_password: string;
            /** @description Whether all other devices are revoked; true when absent. */
            revoke_other_devices?: boolean;
        };
        /** @description The other user of a direct room. */
        Peer: {
            /** @description How far they have got. */
            cursors: components["schemas"]["Cursors"];
            /** @description Who. */
            user: components["schemas"]["User"];
        };
        /** @description Nothing but the idempotency id: join, leave. */
        Plain: {
            /** @description Makes a repeat safe. */
            client_id?: string;
        };
        /** @description Whether a user is there. */
        Presence: {
            /**
             * Format: int64
             * @description When the last device went away, if this server knows it.
             */
            last_seen_at?: number;
            /** @description Whether at least one device is connected. */
            online: boolean;
            /** @description Who. */
            user: string;
        };
        /** @description Presence of users. */
        PresenceList: {
            /** @description One per user that was asked for and may be seen. */
            presence: components["schemas"]["Presence"][];
        };
        /** @description Whose presence to tell and to watch. On a WebSocket this replaces the watch list of the connection. */
        PresenceWatch: {
            /** @description User ids, at most 500. Only users that share a room with the asker are answered. */
            users: string[];
        };
        /** @description RFC 9457 problem details; `application/problem+json` over REST, the same object over WebSocket. */
        Problem: {
            /** @description Stable code, see the list of codes. */
            code: components["schemas"]["ErrorCode"];
            /** @description What exactly, in English, for developers. */
            detail?: string;
            /** @description Fields that were wrong. */
            errors?: components["schemas"]["FieldError"][];
            /** @description Names the request in the server's log. */
            request_id: string;
            /**
             * Format: int64
             * @description When to try again, milliseconds from now.
             */
            retry_after_ms?: number;
            /** @description Whether the same request may succeed later. */
            retryable: boolean;
            /**
             * Format: int32
             * @description HTTP status, also over WebSocket.
             */
            status: number;
            /** @description Short text in the asker's language (`Accept-Language`: English or Chinese). */
            title: string;
            /** @description `urn:starling:error:<code>`. */
            type: string;
        };
        /** @description Changes the own profile; absent fields stay. */
        ProfileUpdate: {
            /** @description The name to show, 1 to 128 characters. */
            display_name?: string;
        };
        /** @description A frame that the server sends by itself, by `push`. */
        Push: {
            /** @description The event. */
            event: components["schemas"]["Event"];
            /** @enum {string} */
            push: "event";
        } | {
            /**
             * Format: int64
             * @description The commit that wrote it.
             */
            commit: number;
            /** @description How far now. */
            cursors: components["schemas"]["Cursors"];
            /** @enum {string} */
            push: "cursor";
            /** @description Where. */
            room: string;
            /** @description Whose. */
            user: string;
        } | {
            /** @enum {string} */
            push: "typing";
            /** @description Where. */
            room: string;
            /** @description Whether. */
            typing: boolean;
            /** @description Who. */
            user: string;
        } | {
            /** @description Who and how. */
            presence: components["schemas"]["Presence"];
            /** @enum {string} */
            push: "presence";
        } | {
            /** @enum {string} */
            push: "resync";
        } | {
            /** @enum {string} */
            push: "draining";
            /**
             * Format: int32
             * @description When to reconnect, milliseconds from now (already spread over the clients).
             */
            reconnect_after_ms: number;
        };
        /** @description One kind of reaction on a message. */
        Reaction: {
            /**
             * Format: int32
             * @description How many users have it.
             */
            count: number;
            /** @description Usually an emoji. */
            key: string;
            /** @description Whether the asker is one of them. */
            mine: boolean;
        };
        /** @description Where an accepted command stands in the log. */
        Receipt: {
            /**
             * Format: int64
             * @description The commit that made it durable.
             */
            commit: number;
            /** @description Whether this is the answer to an earlier command with the same client id. */
            duplicate: boolean;
            /** @description The room. */
            room: string;
            /**
             * Format: int64
             * @description Seq of the (first) event written; the room's head if nothing had to be written.
             */
            seq: number;
        };
        /** @description Exchanges a refresh token for a new pair. Each refresh token works once; reuse of an old one revokes the device. */
        RefreshRequest: {
            /** @description The refresh token of the last answer. */
            refresh_token: string;
        };
        /** @description Creates a user and signs its first device in. */
        RegisterRequest: {
            /** @description The app to register in; absent means the server's default app. */
            app?: string;
            /** @description What the user's device list shows, at most 128 characters. */
            device_name?: string;
            /** @description What others see, 1 to 128 characters; absent means the id. */
            display_name?: string;
            /** @description The user's id, for ever: `[a-z0-9._=-]{1,64}`. */
            id: string;
            /** @description 8 to 256 bytes of UTF-8. */
            password: string;
            /** @description The one-time token printed by a fresh server: makes this user its administrator. */
            setup_token?: string;
        };
        /** @description Answer to `token.renew`. */
        Renewed: {
            /**
             * Format: int64
             * @description When the new token ends.
             */
            expires_at: number;
        };
        /** @description Goes on with a new access token of the same device. */
        RenewToken: {
            /** @description The new access token. */
            token: string;
        };
        /** @description A request frame. */
        Request: components["schemas"]["Operation"] & {
            /**
             * Format: int64
             * @description Chosen by the client, comes back in the response.
             */
            id: number;
        };
        /** @description A response frame: exactly one of `result` and `error`. */
        Response: {
            /** @description What was wrong. */
            error?: components["schemas"]["Problem"];
            /**
             * Format: int64
             * @description The request's id; 0 if the request could not be read that far.
             */
            id: number;
            /** @description The answer, see `Operation` for its type. */
            result?: Record<string, unknown>;
        };
        /** @description A room as one user sees it. */
        Room: {
            /**
             * Format: int64
             * @description The commit of the last change of the room or of the asker's cursors in it.
             */
            commit: number;
            /**
             * Format: int64
             * @description When it was created.
             */
            created_at: number;
            /** @description The asker's cursors. */
            cursors: components["schemas"]["Cursors"];
            /**
             * Format: int64
             * @description Seq of the last event the asker may see (0: none).
             */
            head: number;
            /** @description The id, immutable. */
            id: string;
            /** @description Direct or group. */
            kind: components["schemas"]["RoomKind"];
            /** @description The last message the asker may see. */
            last_message?: components["schemas"]["Event"];
            /** @description The asker's membership; absent if there never was one. */
            me?: components["schemas"]["Membership"];
            /**
             * Format: int32
             * @description How many users are in it (joined).
             */
            members: number;
            /**
             * Format: int64
             * @description Number of messages up to `head`.
             */
            messages: number;
            /** @description Direct rooms: the other user and their cursors. */
            peer?: components["schemas"]["Peer"];
            /** @description Whether delivery and read cursors of members are shared here (small rooms). */
            receipts: boolean;
            /** @description All settings. */
            settings: components["schemas"]["RoomSettings"];
            /**
             * Format: int64
             * @description `messages` − `cursors.read_messages` for a joined member, else 0.
             */
            unread: number;
        };
        /**
         * @description Kind of a room.
         * @enum {string}
         */
        RoomKind: "direct" | "group";
        /** @description A page of the own rooms. */
        RoomPage: {
            /** @description Opaque cursor of the next page, absent on the last. */
            next?: string;
            /** @description Rooms that the asker is in or invited to, oldest change first. */
            rooms: components["schemas"]["Room"][];
            /** @description Profiles of the users named in the rooms. */
            users: components["schemas"]["User"][];
        };
        /** @description Which page of the own rooms. */
        RoomRange: {
            /** @description `next` of the page before. */
            cursor?: string;
        };
        /** @description Settings of a room; in changes, absent fields stay. */
        RoomSettings: {
            /** @description Who may read what. */
            history?: components["schemas"]["HistoryVisibility"];
            /** @description Who may come in. */
            join_rule?: components["schemas"]["JoinRule"];
            /** @description The level each action needs. */
            levels?: components["schemas"]["Levels"];
            /** @description At most 128 characters; empty removes it. */
            name?: string;
            /** @description At most 1,024 characters; empty removes it. */
            topic?: string;
        };
        /** @description Sends a message. */
        SendMessage: {
            /**
             * @description The sender's own id for this message, 1 to 64 characters of `[A-Za-z0-9._:=-]`, unique per device: a repeat with the same
             *     id is answered with the first one's receipt. REST may give it as `Idempotency-Key` instead.
             */
            client_id?: string;
            /** @description What to say. */
            content: components["schemas"]["Content"];
            /**
             * Format: int64
             * @description Seq of the message it answers.
             */
            reply_to?: number;
        };
        /** @description What anyone may know of the server before signing in. */
        ServerInfo: {
            /** @description Which history seqs and commits are of; another one after the server was restored from a backup. */
            epoch: string;
            /** @description Limits a client should know. */
            limits: components["schemas"]["Limits"];
            /** @description Whether the server still waits for its first administrator (by the one-time link). */
            needs_setup: boolean;
            /** @description Whether anyone may register in the default app. */
            registration_open: boolean;
            /** @description Always `starling`. */
            server: string;
            /** @description Version of the server. */
            version: string;
        };
        /** @description A signed-in device and its tokens. */
        Session: {
            /**
             * Format: int64
             * @description When the access token ends.
             */
            access_expires_at: number;
            /** @description Bearer token for `Authorization` and for the WebSocket's `connect`. */
            access_token: string;
            /** @description The device that was signed in. */
            device: components["schemas"]["Device"];
            /** @description Works once, for `/v1/auth/refresh`. */
            refresh_token: string;
            /** @description Who is signed in. */
            user: components["schemas"]["User"];
        };
        /** @description Moves the own cursors forward; absent ones stay, smaller values do nothing. */
        SetCursors: {
            /**
             * Format: int64
             * @description Everything up to this seq has reached this user.
             */
            delivered?: number;
            /**
             * Format: int64
             * @description Everything up to this seq has been read (implies delivered).
             */
            read?: number;
        };
        /** @description Sets a member's level. */
        SetLevel: {
            /** @description Makes a repeat safe. */
            client_id?: string;
            /**
             * Format: int32
             * @description 0 to 100, at most the asker's own.
             */
            level: number;
        };
        /** @description Sets the own reactions on a message. */
        SetReactions: {
            /** @description As for sending. */
            client_id?: string;
            /** @description The whole set, at most 16 keys of 1 to 32 bytes; empty takes all back. */
            keys: string[];
        };
        /** @description Says that the asker is typing, or has stopped. */
        SetTyping: {
            /** @description True while typing; repeat at least every 5 s, it ends by itself after 6 s. */
            typing: boolean;
        };
        /** @description What happened in the app. */
        StatisticsList: {
            /** @description Ascending; days without anything are left out. */
            days: components["schemas"]["DayStatistics"][];
        };
        /** @description Which days. */
        StatisticsRange: {
            /**
             * Format: int32
             * @description How many days with today, 1 to 366; 30 when absent.
             */
            days?: number;
        };
        /** @description What has changed for the asker since a commit. Costs in proportion to that. */
        SyncAnswer: {
            /**
             * Format: int64
             * @description Everything up to this commit is known with this answer; the next `since`.
             */
            commit: number;
            /**
             * @description Which history the commits are of. If it is not that of `since`, the server was restored from a backup: drop what is
             *     kept (not what is still to be sent) and ask again from 0.
             */
            epoch: string;
            /** @description Whether to ask again at once with the new `commit`. */
            more: boolean;
            /** @description Changed rooms that the asker is or was in, oldest change first. With `since` 0, rooms already left are not told. */
            rooms: components["schemas"]["Room"][];
            /** @description Profiles of the users named in the rooms. */
            users: components["schemas"]["User"][];
        };
        /** @description Asks what has changed. */
        SyncRequest: {
            /**
             * Format: int64
             * @description `commit` of the last answer; absent or 0: everything.
             */
            since?: number;
        };
        /** @description Text of a message. */
        TextContent: {
            /** @description The app's own data, a JSON object of at most 16,384 bytes, kept as it is. */
            data?: Record<string, unknown>;
            /** @description How to show it; plain when absent. */
            format?: components["schemas"]["TextFormat"];
            /** @description Users to call on, at most 50 ids. */
            mentions?: string[];
            /** @description 1 to 16,384 bytes of UTF-8. */
            text: string;
        };
        /**
         * @description How to show a text.
         * @enum {string}
         */
        TextFormat: "plain" | "markdown";
        /** @description Changes settings. */
        UpdateRoom: {
            /** @description Makes a repeat safe. */
            client_id?: string;
            /** @description What changes. */
            settings: components["schemas"]["RoomSettings"];
        };
        /** @description What everybody in the app may see of a user. */
        User: {
            /** @description The name to show. */
            display_name: string;
            /** @description The id, immutable. */
            id: string;
            /** @description Person, bot or guest. */
            kind: components["schemas"]["UserKind"];
        };
        /**
         * @description Kind of a user.
         * @enum {string}
         */
        UserKind: "person" | "bot" | "guest";
        /** @description A page of users. */
        UserPage: {
            /** @description Opaque cursor of the next page, absent on the last. */
            next?: string;
            /** @description By the word that was found, then by id; all users by id. */
            users: components["schemas"]["User"][];
        };
        /** @description Names a user. */
        UserRef: {
            /** @description The user's id. */
            user: string;
        };
        /** @description Finds users of the app: by ids, or by the beginning of id or display name. */
        UserSearch: {
            /** @description `next` of the page before. */
            cursor?: string;
            /** @description Ids, separated by commas, at most 100. Excludes `query`. */
            ids?: string;
            /**
             * Format: int32
             * @description At most this many, 1 to 100; 20 when absent.
             */
            limit?: number;
            /** @description Beginning of the id or of a word of the display name. */
            query?: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type Connect = components["schemas"]["Connect"];
export type Connected = components["schemas"]["Connected"];
export type Content = components["schemas"]["Content"];
export type CreateRoom = components["schemas"]["CreateRoom"];
export type CursorList = components["schemas"]["CursorList"];
export type Cursors = components["schemas"]["Cursors"];
export type DayStatistics = components["schemas"]["DayStatistics"];
export type DeleteMessage = components["schemas"]["DeleteMessage"];
export type Deleted = components["schemas"]["Deleted"];
export type Device = components["schemas"]["Device"];
export type DeviceList = components["schemas"]["DeviceList"];
export type DeviceRef = components["schemas"]["DeviceRef"];
export type EditMessage = components["schemas"]["EditMessage"];
export type Edited = components["schemas"]["Edited"];
export type ErrorCode = components["schemas"]["ErrorCode"];
export type Event = components["schemas"]["Event"];
export type EventBody = components["schemas"]["EventBody"];
export type EventPage = components["schemas"]["EventPage"];
export type EventRange = components["schemas"]["EventRange"];
export type FieldError = components["schemas"]["FieldError"];
export type HistoryVisibility = components["schemas"]["HistoryVisibility"];
export type JoinRule = components["schemas"]["JoinRule"];
export type Levels = components["schemas"]["Levels"];
export type Limits = components["schemas"]["Limits"];
export type LoginRequest = components["schemas"]["LoginRequest"];
export type Me = components["schemas"]["Me"];
export type Member = components["schemas"]["Member"];
export type MemberCursors = components["schemas"]["MemberCursors"];
export type MemberPage = components["schemas"]["MemberPage"];
export type MemberRange = components["schemas"]["MemberRange"];
export type MemberRef = components["schemas"]["MemberRef"];
export type MemberState = components["schemas"]["MemberState"];
export type Membership = components["schemas"]["Membership"];
export type Message = components["schemas"]["Message"];
export type Nothing = components["schemas"]["Nothing"];
export type OpenDirect = components["schemas"]["OpenDirect"];
export type Operation = components["schemas"]["Operation"];
export type PasswordChange = components["schemas"]["PasswordChange"];
export type Peer = components["schemas"]["Peer"];
export type Plain = components["schemas"]["Plain"];
export type Presence = components["schemas"]["Presence"];
export type PresenceList = components["schemas"]["PresenceList"];
export type PresenceWatch = components["schemas"]["PresenceWatch"];
export type Problem = components["schemas"]["Problem"];
export type ProfileUpdate = components["schemas"]["ProfileUpdate"];
export type Push = components["schemas"]["Push"];
export type Reaction = components["schemas"]["Reaction"];
export type Receipt = components["schemas"]["Receipt"];
export type RefreshRequest = components["schemas"]["RefreshRequest"];
export type RegisterRequest = components["schemas"]["RegisterRequest"];
export type RenewToken = components["schemas"]["RenewToken"];
export type Renewed = components["schemas"]["Renewed"];
export type Request = components["schemas"]["Request"];
export type Response = components["schemas"]["Response"];
export type Room = components["schemas"]["Room"];
export type RoomKind = components["schemas"]["RoomKind"];
export type RoomPage = components["schemas"]["RoomPage"];
export type RoomRange = components["schemas"]["RoomRange"];
export type RoomSettings = components["schemas"]["RoomSettings"];
export type SendMessage = components["schemas"]["SendMessage"];
export type ServerInfo = components["schemas"]["ServerInfo"];
export type Session = components["schemas"]["Session"];
export type SetCursors = components["schemas"]["SetCursors"];
export type SetLevel = components["schemas"]["SetLevel"];
export type SetReactions = components["schemas"]["SetReactions"];
export type SetTyping = components["schemas"]["SetTyping"];
export type StatisticsList = components["schemas"]["StatisticsList"];
export type StatisticsRange = components["schemas"]["StatisticsRange"];
export type SyncAnswer = components["schemas"]["SyncAnswer"];
export type SyncRequest = components["schemas"]["SyncRequest"];
export type TextContent = components["schemas"]["TextContent"];
export type TextFormat = components["schemas"]["TextFormat"];
export type UpdateRoom = components["schemas"]["UpdateRoom"];
export type User = components["schemas"]["User"];
export type UserKind = components["schemas"]["UserKind"];
export type UserPage = components["schemas"]["UserPage"];
export type UserRef = components["schemas"]["UserRef"];
export type UserSearch = components["schemas"]["UserSearch"];

/** What each operation of the WebSocket takes and answers. */
export interface Operations {
  "connect": { params: components["schemas"]["Connect"]; result: Connected };
  "token.renew": { params: components["schemas"]["RenewToken"]; result: Renewed };
  "ping": { params: components["schemas"]["Nothing"]; result: Nothing };
  "sync": { params: components["schemas"]["SyncRequest"]; result: SyncAnswer };
  "auth.logout": { params: components["schemas"]["Nothing"]; result: Nothing };
  "auth.password": { params: components["schemas"]["PasswordChange"]; result: Nothing };
  "me.get": { params: components["schemas"]["Nothing"]; result: Me };
  "me.update": { params: components["schemas"]["ProfileUpdate"]; result: Me };
  "device.list": { params: components["schemas"]["Nothing"]; result: DeviceList };
  "device.revoke": { params: components["schemas"]["DeviceRef"]; result: Nothing };
  "user.get": { params: components["schemas"]["UserRef"]; result: User };
  "user.search": { params: components["schemas"]["UserSearch"]; result: UserPage };
  "presence.watch": { params: components["schemas"]["PresenceWatch"]; result: PresenceList };
  "room.list": { params: components["schemas"]["RoomRange"]; result: RoomPage };
  "room.create": { params: components["schemas"]["CreateRoom"]; result: Room };
  "room.direct": { params: components["schemas"]["OpenDirect"]; result: Room };
  "room.get": { params: components["schemas"]["InRoom_Nothing"]; result: Room };
  "room.update": { params: components["schemas"]["InRoom_UpdateRoom"]; result: Receipt };
  "room.join": { params: components["schemas"]["InRoom_Plain"]; result: Receipt };
  "room.leave": { params: components["schemas"]["InRoom_Plain"]; result: Receipt };
  "member.list": { params: components["schemas"]["InRoom_MemberRange"]; result: MemberPage };
  "member.invite": { params: components["schemas"]["InRoom_MemberRef"]; result: Receipt };
  "member.remove": { params: components["schemas"]["OnMember_Plain"]; result: Receipt };
  "member.level": { params: components["schemas"]["OnMember_SetLevel"]; result: Receipt };
  "event.list": { params: components["schemas"]["InRoom_EventRange"]; result: EventPage };
  "message.send": { params: components["schemas"]["InRoom_SendMessage"]; result: Receipt };
  "message.edit": { params: components["schemas"]["OnMessage_EditMessage"]; result: Receipt };
  "message.delete": { params: components["schemas"]["OnMessage_DeleteMessage"]; result: Receipt };
  "reaction.set": { params: components["schemas"]["OnMessage_SetReactions"]; result: Receipt };
  "cursor.set": { params: components["schemas"]["InRoom_SetCursors"]; result: Cursors };
  "cursor.list": { params: components["schemas"]["InRoom_Nothing"]; result: CursorList };
  "typing.set": { params: components["schemas"]["InRoom_SetTyping"]; result: Nothing };
  "statistics.get": { params: components["schemas"]["StatisticsRange"]; result: StatisticsList };
}
