//! The client on virtual time: retransmission, failover, revival and limits.

use std::net::SocketAddr;
use std::time::Duration;

use adit_platform::{Instant, Secret};
use adit_radius::error::{Misbehaved, Misuse, Resources};
use adit_radius::{
    AccessRequest, AttributeList, AttributeType, Client, ClientConfig, Code, Error, Event, Packet,
    RequestId, ServerConfig, ServerId, Timers, Transmit, secure,
};
use adit_testkit::rng::SeededRng;

const SECRET: &[u8] = b"a secret that nobody guesses";

struct Host {
    client: Client,
    rng: SeededRng,
    now: Instant,
}

/// A datagram of the client and when it was sent.
struct Sent {
    at: Duration,
    transmit: Transmit,
    datagram: Vec<u8>,
}

fn address(server: usize) -> SocketAddr {
    SocketAddr::new([192, 0, 2, server as u8 + 1].into(), 1812)
}

fn config(servers: usize) -> ClientConfig {
    let server = |index| ServerConfig::new(address(index), Secret::copy_from(SECRET));
    ClientConfig::new((0..servers).map(server).collect())
}

impl Host {
    fn new(config: ClientConfig, seed: u64) -> Self {
        let now = Instant::from_origin(Duration::from_secs(1000));
        Self { client: Client::new(config).unwrap(), rng: SeededRng::new(seed), now }
    }

    fn send(&mut self) -> RequestId {
        let mut attributes = AttributeList::new();
        attributes.push(AttributeType::USER_NAME, b"alice").unwrap();
        let request = AccessRequest::new(attributes).unwrap();
        let request = request.with_password(Secret::copy_from(b"wonderland"));
        self.client.send(self.now, request, &mut self.rng).unwrap()
    }

    fn transmits(&mut self, since: Instant) -> Vec<Sent> {
        let mut datagram = Vec::new();
        std::iter::from_fn(|| {
            let transmit = self.client.poll_transmit(&mut datagram)?;
            Some(Sent { at: self.now - since, transmit, datagram: datagram.clone() })
        })
        .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// Sleeps from deadline to deadline until there is none, or `until`.
    fn sleep(&mut self, until: Duration) -> Vec<Sent> {
        let start = self.now;
        let mut sent = self.transmits(start);
        while let Some(next) = self.client.poll_timeout().filter(|at| *at <= start + until) {
            assert!(next >= self.now, "a deadline in the past");
            self.now = next;
            self.client.handle_timeout(self.now, &mut self.rng);
            assert!(self.client.poll_timeout().is_none_or(|at| at > self.now), "a deadline stays");
            sent.extend(self.transmits(start));
        }
        self.now = self.now.max(start + until);
        sent
    }

    /// Answers a datagram as its server would.
    fn reply(&mut self, sent: &Sent, code: Code) -> Result<(), Error> {
        let request = Packet::parse(&sent.datagram).unwrap();
        let none = AttributeList::new();
        let reply = secure::seal_reply(
            code,
            request.identifier(),
            request.authenticator(),
            none.view(),
            &Secret::copy_from(SECRET),
        )
        .unwrap();
        let Transmit { source_port, destination } = sent.transmit;
        self.client.handle_datagram(self.now, source_port, destination, &reply)
    }
}

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}

#[test]
fn retransmission_follows_rfc_5080() {
    for seed in 0..50 {
        let mut host = Host::new(config(1), seed);
        let id = host.send();
        let sent = host.sleep(Duration::from_secs(100));
        // At 0, 2, 6, 14 and 30 s; whether the fifth comes before MRD, 30 s, is a matter of jitter.
        assert!((4..=5).contains(&sent.len()), "{}", sent.len());
        assert!(sent.iter().all(|sent| sent.at < seconds(30.0)));
        let gaps: Vec<Duration> = sent.windows(2).map(|two| two[1].at - two[0].at).collect();
        // RT = IRT + RAND*IRT, then RT = 2*RTprev + RAND*RTprev; RAND from -0.1 to 0.1.
        assert!((seconds(1.8)..=seconds(2.2)).contains(&gaps[0]), "seed {seed}: {gaps:?}");
        for two in gaps[..3].windows(2) {
            let range = two[0].mul_f64(1.9)..=two[0].mul_f64(2.1);
            assert!(range.contains(&two[1]), "seed {seed}: {gaps:?}");
        }
        // MRT, 16 s, and its jitter limit the rest.
        assert!(gaps[3..].iter().all(|gap| *gap <= seconds(17.6)), "seed {seed}: {gaps:?}");
        for again in &sent[1..] {
            assert_eq!(again.datagram, sent[0].datagram, "a retransmission is the same packet");
            assert_eq!(again.transmit, sent[0].transmit);
        }
        let events = host.events();
        let [Event::ServerDown(ServerId(0)), Event::Failed { request, reason: Error::NoReply }] =
            &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(*request, id);
        assert_eq!((host.client.outstanding(), host.client.poll_timeout()), (0, None));
    }
}

#[test]
fn a_count_and_a_longest_wait_are_kept() {
    let mut config = config(1);
    config.servers[0].timers = Timers {
        max: seconds(3.0),
        max_count: 4,
        max_duration: seconds(600.0),
        ..Timers::default()
    };
    let mut host = Host::new(config, 9);
    host.send();
    let sent = host.sleep(seconds(700.0));
    assert_eq!(sent.len(), 4, "MRC");
    for two in sent[1..].windows(2) {
        let gap = two[1].at - two[0].at;
        assert!((seconds(2.7)..=seconds(3.3)).contains(&gap), "MRT + RAND*MRT: {gap:?}");
    }
}

#[test]
fn waits_are_spread() {
    let first_wait = |seed| {
        let mut host = Host::new(config(1), seed);
        host.send();
        host.client.poll_timeout().unwrap() - host.now
    };
    let mut waits: Vec<Duration> = (0..20).map(first_wait).collect();
    waits.sort();
    waits.dedup();
    assert!(waits.len() >= 15, "{waits:?}");
}

#[test]
fn a_reply_ends_the_request_and_a_second_is_noise() {
    let mut host = Host::new(config(1), 1);
    let id = host.send();
    let sent = host.sleep(Duration::from_secs(3));
    assert_eq!(sent.len(), 2);
    assert_eq!(host.reply(&sent[0], Code::ACCESS_ACCEPT), Ok(()));
    let noise = Err(Error::Misbehaved(Misbehaved::NoSuchRequest));
    assert_eq!(host.reply(&sent[1], Code::ACCESS_REJECT), noise);
    let events = host.events();
    let [Event::Reply { request, reply }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*request, reply.code()), (id, Code::ACCESS_ACCEPT));
    assert_eq!(host.client.poll_timeout(), None);
}

#[test]
fn replies_from_elsewhere_are_discarded() {
    let mut host = Host::new(config(2), 1);
    host.send();
    let mut sent = host.sleep(Duration::ZERO).remove(0);
    // Another server of ours, a stranger, another socket of ours.
    sent.transmit.destination = address(1);
    let no_request = Err(Error::Misbehaved(Misbehaved::NoSuchRequest));
    assert_eq!(host.reply(&sent, Code::ACCESS_ACCEPT), no_request);
    sent.transmit.destination = address(7);
    let stranger = Err(Error::Misbehaved(Misbehaved::UnknownServer));
    assert_eq!(host.reply(&sent, Code::ACCESS_ACCEPT), stranger);
    sent.transmit.destination = address(0);
    sent.transmit.source_port += 1;
    assert_eq!(host.reply(&sent, Code::ACCESS_ACCEPT), no_request);
    sent.transmit.source_port = u16::MAX;
    assert_eq!(host.reply(&sent, Code::ACCESS_ACCEPT), no_request);
    assert_eq!(host.client.outstanding(), 1);
}

#[test]
fn the_next_server_is_asked_with_its_own_packet() {
    let mut host = Host::new(config(2), 1);
    host.send();
    let sent = host.sleep(Duration::from_secs(7));
    let to: Vec<SocketAddr> = sent.iter().map(|sent| sent.transmit.destination).collect();
    assert_eq!(to, [address(0), address(0), address(1)]);
    let (first, last) =
        (Packet::parse(&sent[0].datagram).unwrap(), Packet::parse(&sent[2].datagram).unwrap());
    assert_ne!(first.authenticator(), last.authenticator());
    let hidden = last.attributes().one(AttributeType::USER_PASSWORD).unwrap().unwrap();
    let secret = Secret::copy_from(SECRET);
    let password = secure::reveal_password(&hidden, last.authenticator(), &secret).unwrap();
    assert_eq!(password.expose(), b"wonderland");
    // The first server comes too late.
    assert!(host.reply(&sent[0], Code::ACCESS_ACCEPT).is_err());
    assert_eq!(host.reply(&sent[2], Code::ACCESS_ACCEPT), Ok(()));
    let events = host.events();
    assert!(
        matches!(&events[..], [Event::ServerDown(ServerId(0)), Event::Reply { reply, .. }]
            if reply.server() == ServerId(1)),
        "{events:?}"
    );
    // It is down: the next request goes to the second at once, and back after the dead time.
    host.send();
    assert_eq!(host.sleep(Duration::ZERO)[0].transmit.destination, address(1));
    host.now = host.now + Duration::from_secs(120);
    host.send();
    let tried = host.transmits(host.now);
    assert_eq!(tried.last().unwrap().transmit.destination, address(0));
}

#[test]
fn all_servers_are_tried_before_a_request_fails() {
    let mut host = Host::new(config(3), 1);
    host.send();
    let sent = host.sleep(Duration::from_secs(200));
    let count = |server| sent.iter().filter(|s| s.transmit.destination == address(server)).count();
    // The last one has nobody behind it and gets all that RFC 5080 gives: 4 or 5 within 30 s.
    assert_eq!((count(0), count(1)), (2, 2));
    assert!((4..=5).contains(&count(2)), "{}", count(2));
    let events = host.events();
    let failed = events.iter().filter(|event| matches!(event, Event::Failed { .. })).count();
    assert_eq!((failed, events.len()), (1, 4), "{events:?}");
    // With all of them down the first is asked all the same.
    host.send();
    assert_eq!(host.sleep(Duration::ZERO)[0].transmit.destination, address(0));
}

#[test]
fn a_server_that_answers_others_is_slow_and_not_down() {
    let mut host = Host::new(config(1), 1);
    host.send();
    host.send();
    let sent = host.sleep(Duration::ZERO);
    assert_eq!(sent.len(), 2);
    host.reply(&sent[1], Code::ACCESS_ACCEPT).unwrap();
    host.sleep(Duration::from_secs(60));
    let events = host.events();
    assert!(matches!(&events[..], [Event::Reply { .. }, Event::Failed { .. }]), "{events:?}");
}

#[test]
fn a_request_that_is_bound_to_a_server_stays_there() {
    let mut host = Host::new(config(2), 1);
    let mut attributes = AttributeList::new();
    attributes.push(AttributeType::STATE, b"here").unwrap();
    let request = AccessRequest::new(attributes).unwrap().only_to(ServerId(0));
    host.client.send(host.now, request, &mut host.rng).unwrap();
    let sent = host.sleep(Duration::from_secs(60));
    assert!(sent.len() >= 4);
    assert!(sent.iter().all(|sent| sent.transmit.destination == address(0)));
    let events = host.events();
    assert!(matches!(events.last(), Some(Event::Failed { reason: Error::NoReply, .. })));
    let request = AccessRequest::new(AttributeList::new()).unwrap().only_to(ServerId(9));
    let nobody = host.client.send(host.now, request, &mut host.rng);
    assert_eq!(nobody, Err(Error::Misuse(Misuse::UnknownServer)));
}

#[test]
fn status_server_finds_out_when_a_server_is_up_again() {
    let mut config = config(2);
    config.servers[0].status_interval = Some(Duration::from_secs(10));
    let mut host = Host::new(config, 1);
    host.send();
    let sent = host.sleep(Duration::from_secs(7));
    host.reply(&sent[2], Code::ACCESS_ACCEPT).unwrap();
    host.events();
    // Probes go on for as long as it takes, and users are not sent there.
    let sent = host.sleep(Duration::from_secs(300));
    let probes: Vec<&Sent> = sent.iter().filter(|sent| sent.datagram[0] == 12).collect();
    assert!(probes.len() >= 10, "{}", probes.len());
    assert!(probes.iter().all(|sent| sent.transmit.destination == address(0)));
    for probe in &probes {
        let packet = Packet::parse(&probe.datagram).unwrap();
        assert_eq!(secure::verify_request(&packet, &Secret::copy_from(SECRET)), Ok(()));
    }
    host.send();
    let to_user = host.transmits(host.now);
    assert_eq!(to_user[0].transmit.destination, address(1));
    assert!(host.events().is_empty(), "a failed probe is nobody's event");

    let answered = loop {
        let sent = host.sleep(Duration::from_secs(1));
        if let Some(probe) = sent.into_iter().rfind(|sent| sent.datagram[0] == 12) {
            break host.reply(&probe, Code::ACCESS_ACCEPT);
        }
    };
    assert_eq!(answered, Ok(()));
    let events = host.events();
    assert!(matches!(&events[..], [.., Event::ServerUp(ServerId(0))]), "{events:?}");
    host.send();
    let back = host.transmits(host.now);
    assert_eq!(back.last().unwrap().transmit.destination, address(0));
}

#[test]
fn identifiers_run_out_and_come_back() {
    let config = ClientConfig { source_ports: 2, ..config(1) };
    let mut host = Host::new(config, 1);
    let ids: Vec<RequestId> = (0..512).map(|_| host.send()).collect();
    let sent = host.sleep(Duration::ZERO);
    let mut slots: Vec<(u16, u8)> =
        sent.iter().map(|sent| (sent.transmit.source_port, sent.datagram[1])).collect();
    slots.sort();
    slots.dedup();
    assert_eq!(slots.len(), 512, "no Identifier serves two requests of one socket");
    let request = AccessRequest::new(AttributeList::new()).unwrap();
    let full = host.client.send(host.now, request, &mut host.rng);
    assert_eq!(full, Err(Error::Resources(Resources::NoIdentifier)));
    host.client.cancel(ids[300]);
    host.send();
    assert_eq!(host.client.outstanding(), 512);
}

#[test]
fn a_cancelled_request_is_never_heard_of_again() {
    let mut host = Host::new(config(1), 1);
    let id = host.send();
    host.client.cancel(id);
    assert!(host.sleep(Duration::from_secs(60)).is_empty());
    assert!(host.events().is_empty());
    assert_eq!((host.client.outstanding(), host.client.poll_timeout()), (0, None));
}

#[test]
fn misuse_is_refused() {
    let new = |config| Client::new(config).err();
    assert_eq!(new(config(0)), Some(Error::Misuse(Misuse::NoServers)));
    let ports = ClientConfig { source_ports: 0, ..config(1) };
    assert_eq!(new(ports), Some(Error::Misuse(Misuse::NoServers)));
    let mut empty = config(1);
    empty.servers[0].secret = Secret::copy_from(b"");
    assert_eq!(new(empty), Some(Error::Misuse(Misuse::EmptySecret)));
    let mut zero = config(1);
    zero.servers[0].timers = Timers { initial: Duration::ZERO, ..Timers::default() };
    assert_eq!(new(zero), Some(Error::Misuse(Misuse::ZeroTimer)));

    for kind in [AttributeType::USER_PASSWORD, AttributeType::MESSAGE_AUTHENTICATOR] {
        let mut list = AttributeList::new();
        list.push(kind, &[0; 16]).unwrap();
        let error = AccessRequest::new(list).err();
        assert_eq!(error, Some(Error::Misuse(Misuse::ReservedAttribute(kind))));
    }
    let mut list = AttributeList::new();
    list.push_eap(b"\x02\x00\x00\x05\x01").unwrap();
    let both = AccessRequest::new(list).unwrap().with_password(Secret::copy_from(b"x"));
    let mut host = Host::new(config(1), 1);
    let refused = host.client.send(host.now, both, &mut host.rng);
    assert_eq!(refused, Err(Error::Misuse(Misuse::PasswordAndEap)));
    let long = AccessRequest::new(AttributeList::new()).unwrap();
    let long = long.with_password(Secret::copy_from(&[b'x'; 129]));
    let refused = host.client.send(host.now, long, &mut host.rng);
    assert_eq!(refused, Err(Error::Misuse(Misuse::PasswordTooLong)));
    assert_eq!(host.client.outstanding(), 0);
}
