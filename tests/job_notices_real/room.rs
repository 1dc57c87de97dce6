//! `room-create` and `room-retire`, on a Matrix double that keeps state and checks what it gets.
#![expect(clippy::panic, reason = "a result that is none ends the test")]

use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use function_odoo::contract::{Command, ExitCode, MATRIX_TOKEN, Report, RoomCreate, RoomReport, RoomRetire};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    ended,
    http_double::{Double, Step, answer},
    job::{Finished, Job, prove_every_boundary},
    matrix_double::{BOT, Fault, Matrix, NAME, Room, TOKEN},
    quick, silent,
};

/// An alias with what breaks quoting.
const LOCAL: &str = "support-acme.é\"/%2f'#?&-042";
const OWNER: &str = "O'Hara+\"%x\"@example.com";
const MARKER: &str = "com.planapulse.support";
const STAFF: [&str; 2] = ["@staff/é:x.org", "@lead:x.org"];

fn alias() -> String {
    format!("#{LOCAL}:{NAME}")
}

fn creation(homeserver: &str) -> RoomCreate {
    RoomCreate {
        homeserver: homeserver.to_owned(),
        server_name: NAME.to_owned(),
        alias: LOCAL.to_owned(),
        name: "Support \"Ö\" 100 % \\ 🦀".to_owned(),
        owner_email: OWNER.to_owned(),
        invite: STAFF.map(str::to_owned).to_vec(),
    }
}

fn create(matrix: &Matrix) -> Job {
    // A base path stays part of the address.
    create_at(&matrix.http.url("/"))
}

fn create_at(homeserver: &str) -> Job {
    quick(&Command::RoomCreate(creation(homeserver))).secret(MATRIX_TOKEN, TOKEN)
}

fn retire(matrix: &Matrix) -> Job {
    let command = RoomRetire {
        homeserver: matrix.http.url(""),
        server_name: NAME.to_owned(),
        alias: LOCAL.to_owned(),
    };
    quick(&Command::RoomRetire(command)).secret(MATRIX_TOKEN, TOKEN)
}

fn report(finished: &Finished) -> RoomReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Room(room)) => room,
        other => panic!("{other:?}"),
    }
}

/// That the server has one room, and that it is what was asked for.
fn assert_made(matrix: &Matrix) -> (String, Room) {
    matrix.assert_clean();
    let (id, room) = matrix.only_room(&alias());
    let expected = json!({"alias": alias(), "active": true, "ownerEmail": OWNER});
    assert_eq!(room.content(MARKER, ""), Some(&expected));
    assert_eq!(
        room.content("m.room.name", "").expect("it is there")["name"],
        creation("").name
    );
    let topic = room.content("m.room.topic", "").expect("it is there")["topic"]
        .as_str()
        .expect("it is there");
    assert!(topic.contains(OWNER) && topic.contains(LOCAL), "{topic}");
    for user in STAFF {
        assert_eq!(room.membership(user), Some("invite"), "{user}");
    }
    (id, room)
}

fn assert_retired(matrix: &Matrix) {
    matrix.assert_clean();
    let (_, room) = matrix.only_room(&alias());
    assert_eq!(
        room.content(MARKER, ""),
        Some(&json!({"alias": alias(), "active": false}))
    );
    let name = format!("[inactive] {}", creation("").name);
    assert_eq!(
        room.content("m.room.name", "").expect("it is there")["name"],
        name.as_str()
    );
    for user in STAFF {
        assert_eq!(room.membership(user), Some("invite"), "{user}");
    }
}

#[test]
fn a_room_is_made_and_a_second_run_changes_nothing() {
    let matrix = Matrix::new(|_| {});
    let first = create(&matrix).run().done();
    assert_eq!(
        first.phases(),
        ["check", "find", "create", "mark", "invite", "prove"]
    );
    silent(&first, &[TOKEN]);
    let (id, _) = assert_made(&matrix);
    let mut expected = RoomReport {
        room_id: id,
        alias: alias(),
        existed: false,
        not_invited: vec![OWNER.to_owned()],
    };
    assert_eq!(report(&first), expected);
    let changes = matrix.world().changes;
    assert_eq!(changes, 3);
    let second = create(&matrix).run().done();
    expected.existed = true;
    assert_eq!(report(&second), expected);
    assert_eq!(matrix.world().changes, changes);
    assert_made(&matrix);
}

#[test]
fn the_most_talkative_log_has_no_token() {
    let matrix = Matrix::new(|_| {});
    let finished = create(&matrix).variable("RUST_LOG", "trace").run().done();
    assert!(finished.log.lines().count() > 30, "{}", finished.log);
    silent(&finished, &[TOKEN]);
    assert_made(&matrix);
}

#[test]
fn an_owner_with_an_account_is_invited() {
    let matrix = Matrix::new(|world| {
        world.is_admin = true;
        world
            .mails
            .insert(OWNER.to_lowercase(), "@owner:x.org".to_owned());
    });
    assert_eq!(
        report(&create(&matrix).run().done()).not_invited,
        Vec::<String>::new()
    );
    assert_eq!(assert_made(&matrix).1.membership("@owner:x.org"), Some("invite"));
    // An administrator of a server that does not know the owner.
    let matrix = Matrix::new(|world| world.is_admin = true);
    assert_eq!(report(&create(&matrix).run().done()).not_invited, [OWNER]);
    assert_made(&matrix);
}

#[test]
fn who_cannot_be_invited_is_told_and_holds_nobody_up() {
    let matrix = Matrix::new(|world| {
        world
            .unreachable
            .insert("@gone:elsewhere.org".to_owned(), (502, "M_UNKNOWN"));
        world
            .unreachable
            .insert("@no:x.org".to_owned(), (403, "M_FORBIDDEN"));
    });
    let mut command = creation(&matrix.http.url(""));
    command.invite.insert(0, "@gone:elsewhere.org".to_owned());
    command.invite.insert(1, "@no:x.org".to_owned());
    command.invite.insert(2, BOT.to_owned());
    command.invite.push(STAFF[0].to_owned());
    let job = quick(&Command::RoomCreate(command)).secret(MATRIX_TOKEN, TOKEN);
    let finished = job.run().done();
    assert_eq!(
        report(&finished).not_invited,
        [OWNER, "@gone:elsewhere.org", "@no:x.org"]
    );
    assert!(
        finished.log.contains("cannot invite @no:x.org"),
        "{}",
        finished.log
    );
    assert_made(&matrix);
}

#[test]
fn who_left_is_left_in_peace_and_what_staff_changed_stays() {
    let matrix = Matrix::new(|_| {});
    create(&matrix).run().done();
    {
        let mut world = matrix.world();
        let room = world.rooms.values_mut().next().unwrap();
        room.set(
            STAFF[0],
            "m.room.member",
            STAFF[0],
            json!({"membership": "leave"}),
        );
        room.set(STAFF[1], "m.room.name", "", json!({"name": "VIP: acme"}));
    }
    create(&matrix).run().done();
    let (_, room) = matrix.only_room(&alias());
    assert_eq!(room.membership(STAFF[0]), Some("leave"));
    assert_eq!(room.content("m.room.name", "").unwrap()["name"], "VIP: acme");
}

#[test]
fn a_room_is_retired_and_made_active_again() {
    let matrix = Matrix::new(|_| {});
    let nothing = retire(&matrix).run().done();
    assert_eq!(report(&nothing).room_id, "");
    assert!(!report(&nothing).existed);
    create(&matrix).run().done();
    let first = retire(&matrix).run().done();
    assert_eq!(first.phases(), ["check", "find", "mark", "prove"]);
    silent(&first, &[TOKEN]);
    assert_retired(&matrix);
    assert!(report(&first).existed);
    let changes = matrix.world().changes;
    retire(&matrix).run().done();
    assert_retired(&matrix);
    assert_eq!(matrix.world().changes, changes);
    create(&matrix).run().done();
    assert_made(&matrix);
}

#[test]
fn a_room_of_the_same_account_without_mark_is_taken_over() {
    let matrix = Matrix::new(|world| {
        let mut room = Room::default();
        room.set(BOT, "m.room.create", "", json!({"creator": BOT}));
        room.set(BOT, "m.room.member", BOT, json!({"membership": "join"}));
        world.rooms.insert("!old:x.org".to_owned(), room);
        world.aliases.insert(alias(), "!old:x.org".to_owned());
    });
    let finished = create(&matrix).run().done();
    assert_eq!(report(&finished).room_id, "!old:x.org");
    let (_, room) = matrix.only_room(&alias());
    assert_eq!(room.content(MARKER, "").unwrap()["active"], true);
    assert_eq!(
        room.content("m.room.name", "").unwrap()["name"],
        creation("").name
    );
    assert_eq!(room.membership(STAFF[0]), Some("invite"));
}

#[test]
fn a_foreign_room_is_refused_and_left_alone() {
    let foreign = |events: Vec<(&'static str, &'static str, &'static str, Value)>| {
        Matrix::new(move |world| {
            let mut room = Room::default();
            for (sender, kind, key, content) in events {
                room.set(sender, kind, key, content);
            }
            world.rooms.insert("!foreign:x.org".to_owned(), room);
            world.aliases.insert(alias(), "!foreign:x.org".to_owned());
        })
    };
    let other = "@mallory:x.org";
    let made = (other, "m.room.create", "", json!({}));
    let member = (other, "m.room.member", BOT, json!({"membership": "join"}));
    let claim = (other, MARKER, "", json!({"alias": alias(), "active": true}));
    let elsewhere = (
        BOT,
        MARKER,
        "",
        json!({"alias": "#support-globex-001:x.org", "active": true}),
    );
    let ours = (BOT, "m.room.create", "", json!({}));
    let cases = [
        // Somebody else's, where we are; one that claims to be ours; one that lets us not in; another tenant's.
        vec![made.clone(), member.clone()],
        vec![made.clone(), member.clone(), claim],
        vec![made],
        vec![ours, member, elsewhere],
    ];
    for events in cases {
        let matrix = foreign(events);
        for job in [create(&matrix), retire(&matrix)] {
            let finished = job.run();
            ended(&finished, ExitCode::Refused, "RoomForeign", &[TOKEN]);
            let message = finished.message();
            assert!(
                message.contains("!foreign:x.org") && message.contains(BOT),
                "{message}"
            );
        }
        matrix.assert_clean();
        assert_eq!(matrix.world().changes, 0);
    }
}

#[test]
fn a_dry_run_says_and_changes_nothing() {
    let matrix = Matrix::new(|_| {});
    let said = |job: Job| {
        let finished = job.dry_run().run().done();
        silent(&finished, &[TOKEN]);
        finished.stdout
    };
    let out = said(create(&matrix));
    assert!(out.starts_with("would make the room #support-acme"), "{out}");
    assert!(out.contains("and invite @staff/é:x.org, @lead:x.org"), "{out}");
    assert_eq!(matrix.world().changes, 0);
    create(&matrix).run().done();
    let changes = matrix.world().changes;
    assert!(
        said(create(&matrix)).starts_with("would keep the room !room0"),
        "it is there"
    );
    assert!(
        said(retire(&matrix)).starts_with("would mark the room !room0"),
        "it is there"
    );
    assert_eq!(matrix.world().changes, changes);
    retire(&matrix).run().done();
    assert!(said(create(&matrix)).contains("active again"), "it is retired");
    assert_retired(&matrix);
}

#[test]
fn two_at_once_make_one_room() {
    // The alias is known before the room has its state, as in Synapse; then without that gap.
    for gap in [Duration::from_millis(100), Duration::ZERO] {
        for _ in 0..3 {
            let matrix = Matrix::new(|world| world.gap = gap);
            let running = [
                create(&matrix).start(),
                create(&matrix).start(),
                create(&matrix).start(),
            ];
            let reports = running.map(|running| report(&running.wait().done()));
            let (id, _) = assert_made(&matrix);
            assert!(reports.iter().all(|report| report.room_id == id), "{reports:?}");
        }
    }
}

#[test]
fn the_token_is_checked_first_and_never_shown() {
    let matrix = Matrix::new(|_| {});
    let wrong = "syt_wrong_hunter22";
    let finished = create(&matrix).secret(MATRIX_TOKEN, wrong).run();
    ended(&finished, ExitCode::GiveUp, "CredentialsRefused", &[wrong]);
    assert!(
        finished.message().contains("M_UNKNOWN_TOKEN"),
        "{}",
        finished.message()
    );
    assert_eq!(matrix.http.requests().len(), 1);
    let finished = create(&matrix).secret(MATRIX_TOKEN, "").run();
    ended(&finished, ExitCode::GiveUp, "SecretMissing", &[]);
    let finished = create(&matrix).secret(MATRIX_TOKEN, "two\nlines-hunter22").run();
    ended(&finished, ExitCode::GiveUp, "SecretUnreadable", &["hunter22"]);
    assert_eq!(matrix.http.requests().len(), 1);
    assert_eq!(matrix.world().changes, 0);
}

#[test]
fn what_is_no_matrix_server_is_named() {
    let portal = Double::script(vec![answer(404, "<html>not here")]);
    let finished = create_at(&portal.url("/")).run();
    ended(&finished, ExitCode::GiveUp, "NotAccepted", &[TOKEN]);
    assert!(
        finished.message().contains("--homeserver"),
        "{}",
        finished.message()
    );
    let portal = Double::script(vec![answer(200, "<html>welcome")]);
    ended(
        &create_at(&portal.url("/")).run(),
        ExitCode::GiveUp,
        "AnswerUnknown",
        &[TOKEN],
    );
    let finished = create_at("matrix.example.com").run();
    ended(&finished, ExitCode::GiveUp, "AddressInvalid", &[TOKEN]);
    let finished = create_at(&format!("http://127.0.0.1:{}", crate::servers::free_port())).run();
    ended(&finished, ExitCode::Retry, "EndpointUnreachable", &[TOKEN]);
    let mut command = creation(&portal.url("/"));
    command.alias = "with space".to_owned();
    let finished = quick(&Command::RoomCreate(command))
        .secret(MATRIX_TOKEN, TOKEN)
        .run();
    ended(&finished, ExitCode::GiveUp, "AliasInvalid", &[TOKEN]);
}

#[test]
fn trouble_at_every_request_is_waited_out() {
    let good = Matrix::new(|_| {});
    create(&good).run().done();
    let count = good.http.requests().len();
    assert!(count >= 9, "{count}");
    for at in 0..count {
        // The answer to a request that was served is lost; and a request is not served at all.
        let lost = Matrix::with_faults(
            |_| {},
            move |_, before| (before == at).then(|| Fault::After(Step::Half(200, "{".to_owned()))),
        );
        create(&lost).run().done();
        assert_made(&lost);
        let limited =
            json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 120});
        let steps = [
            answer(429, limited.to_string()),
            answer(502, "bad gateway"),
            Step::Close,
        ];
        for step in steps {
            let refused = Matrix::with_faults(
                |_| {},
                move |_, before| (before == at).then(|| Fault::Instead(step.clone())),
            );
            create(&refused).run().done();
            assert_made(&refused);
        }
    }
}

#[test]
fn a_server_that_limits_us_is_obeyed() {
    let limited = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 700});
    let matrix = Matrix::with_faults(
        |_| {},
        move |_, before| (before == 1).then(|| Fault::Instead(answer(429, limited.to_string()))),
    );
    create(&matrix).run().done();
    let requests = matrix.http.requests();
    let pause = requests[2].at.duration_since(requests[1].at);
    assert!(pause >= Duration::from_millis(700), "{pause:?}");
    assert_made(&matrix);
}

#[test]
fn a_server_that_hangs_does_not_hold_us() {
    let matrix = Matrix::with_faults(
        |_| {},
        |_, before| (before == 2).then_some(Fault::After(Step::Hang)),
    );
    let job = create(&matrix).variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "1000");
    let finished = job.run().done();
    assert!(finished.log.contains("EndpointSilent"), "{}", finished.log);
    assert_made(&matrix);
}

#[test]
fn killed_at_every_boundary_there_is_one_room() {
    let doubles = Mutex::new(Vec::new());
    prove_every_boundary(
        "room-create",
        |_| {
            let matrix = Matrix::new(|_| {});
            let job = create(&matrix);
            doubles.lock().unwrap().push(matrix);
            job
        },
        |number, _| drop(assert_made(&doubles.lock().unwrap()[number])),
    );
    prove_every_boundary(
        "room-retire",
        |_| {
            let matrix = Matrix::new(|_| {});
            create(&matrix).run().done();
            let job = retire(&matrix);
            doubles.lock().unwrap().push(matrix);
            job
        },
        |_, _| assert_retired(doubles.lock().unwrap().last().unwrap()),
    );
}

#[test]
fn killed_in_every_request_there_is_one_room() {
    let good = Matrix::new(|_| {});
    create(&good).run().done();
    let requests = good.http.requests().len();
    for at in 0..requests {
        for signal in [Signal::KILL, Signal::TERM] {
            let matrix = Matrix::with_faults(
                |_| {},
                move |_, before| (before == at).then_some(Fault::After(Step::Hang)),
            );
            let running = create(&matrix)
                .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "60000")
                .start();
            matrix.http.wait_for(at + 1);
            thread::sleep(Duration::from_millis(30));
            let begun = Instant::now();
            running.kill(signal);
            running.wait();
            assert!(begun.elapsed() < Duration::from_secs(10));
            create(&matrix).run().done();
            assert_made(&matrix);
        }
    }
}
