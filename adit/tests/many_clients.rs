//! One gateway with many clients at a time: whose packets go where, who gets which address, who is forgotten.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use adit::adapters::esp::Tunnels;
use adit::{
    Client, ClientConfig, ClientEvent, ClientProof, Clocks, Gateway, GatewayConfig, GatewayEvent,
    GatewayProof, Received, Target,
};
use adit_ikev2::{Identity, Path, SaId};
use adit_platform::simd::PROVIDER;
use adit_platform::{Instant, Secret, UnixTime};
use adit_testkit::net::{Conditions, Datagram, Network};
use adit_testkit::rng::SeededRng;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn secret(number: u8) -> Secret {
    Secret::copy_from(format!("the secret of number {number}").as_bytes())
}

fn identity(number: u8) -> Identity {
    Identity::email(&format!("{number}@adit.test"))
}

struct Person {
    client: Client,
    outer: IpAddr,
    inner: Option<Ipv4Addr>,
    ended: bool,
    received: Vec<Vec<u8>>,
}

struct World {
    gateway: Gateway,
    people: Vec<Person>,
    net: Network,
    now: Instant,
    /// Inner packets that the gateway opened.
    received: Vec<Vec<u8>>,
    gone: Vec<SaId>,
}

impl World {
    /// A gateway that knows people 0 to 99, with inner addresses for `addresses` of them.
    fn new(addresses: u8, conditions: Conditions) -> Self {
        let mut config = GatewayConfig::new(Identity::fqdn("gw.adit.test"));
        for number in 0..100 {
            config.clients.shared_secrets.insert(identity(number), secret(number));
        }
        config.pool = vec![format!("10.99.0.1-10.99.0.{addresses}").parse().unwrap()];
        config.subnets = vec!["10.88.0.0/16".parse().unwrap()];
        let rng = Box::new(SeededRng::new(1));
        Self {
            gateway: Gateway::new(config, PROVIDER, rng, clocks()).unwrap(),
            people: Vec::new(),
            net: Network::new(2, conditions),
            now: clocks().now,
            received: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Somebody comes, and begins to connect.
    fn arrive(&mut self, number: u8) -> usize {
        let index = self.people.len();
        let outer = IpAddr::from([198, 51, 100, index as u8 + 1]);
        let config = ClientConfig::new(
            (outer, 500).into(),
            (GATEWAY, 500).into(),
            Identity::fqdn("gw.adit.test"),
            GatewayProof::SharedSecret(secret(number)),
            identity(number),
            ClientProof::SharedSecret(secret(number)),
        );
        let rng = Box::new(SeededRng::new(100 + index as u64));
        let mut client = Client::new(config, PROVIDER, rng, clocks()).unwrap();
        client.connect(self.now).unwrap();
        self.people.push(Person { client, outer, inner: None, ended: false, received: Vec::new() });
        index
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drain();
            let timeouts = self.people.iter().filter_map(|person| person.client.poll_timeout());
            let others = [self.net.next_arrival(), self.gateway.poll_timeout()];
            match timeouts.chain(others.into_iter().flatten()).min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            while let Some(datagram) = self.net.receive(self.now) {
                self.deliver(datagram);
            }
            self.gateway.handle_timeout(self.now);
            for person in &mut self.people {
                person.client.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    fn drain(&mut self) {
        let mut payload = Vec::new();
        while let Some(Target::Peer(path)) = self.gateway.poll_transmit(&mut payload) {
            self.put(path, payload.clone());
        }
        while let Some(event) = self.gateway.poll_event() {
            if let GatewayEvent::Disconnected { sa, .. } = event {
                self.gone.push(sa);
            }
        }
        for index in 0..self.people.len() {
            while let Some(path) = self.people[index].client.poll_transmit(&mut payload) {
                self.put(path, payload.clone());
            }
            while let Some(event) = self.people[index].client.poll_event() {
                match event {
                    ClientEvent::Connected(connection) => {
                        let addresses = connection.addresses.iter().map(|net| net.addr());
                        let mut v4 = addresses.filter_map(|address| match address {
                            IpAddr::V4(v4) => Some(v4),
                            IpAddr::V6(_) => None,
                        });
                        self.people[index].inner = v4.next();
                    }
                    ClientEvent::Disconnected { .. } => self.people[index].ended = true,
                    _ => {}
                }
            }
        }
    }

    fn put(&mut self, path: Path, payload: Vec<u8>) {
        self.net.send(self.now, Datagram { from: path.local, to: path.remote, payload });
    }

    fn deliver(&mut self, mut datagram: Datagram) {
        let path = Path { local: datagram.to, remote: datagram.from };
        let payload = &mut datagram.payload;
        if path.local.ip() == GATEWAY {
            if let Received::Packet(at) = self.gateway.handle_datagram(self.now, path, payload) {
                self.received.push(payload[at].to_vec());
            }
        } else if let Some(person) = self.people.iter_mut().find(|p| p.outer == path.local.ip())
            && let Received::Packet(at) = person.client.handle_datagram(self.now, path, payload)
        {
            person.received.push(payload[at].to_vec());
        }
    }

    /// Sends from a client, or from behind the gateway; false if there is no tunnel for it.
    fn send(&mut self, from: Option<usize>, packet: &[u8]) -> bool {
        let mut buf = vec![0; Tunnels::HEADROOM];
        buf.extend(packet);
        buf.resize(buf.len() + Tunnels::TAILROOM, 0);
        let range = Tunnels::HEADROOM..Tunnels::HEADROOM + packet.len();
        let sealed = match from {
            Some(index) => self.people[index].client.handle_packet(self.now, &mut buf, range),
            None => self.gateway.handle_packet(self.now, &mut buf, range),
        };
        let Ok(Some(sealed)) = sealed else { return false };
        self.put(sealed.path, buf[sealed.datagram].to_vec());
        true
    }

    fn inner(&self, index: usize) -> Ipv4Addr {
        self.people[index].inner.unwrap_or_else(|| panic!("number {index} is not connected"))
    }
}

fn clocks() -> Clocks {
    Clocks { now: Instant::default(), unix: UnixTime::from_secs(1_800_000_000) }
}

fn packet(from: Ipv4Addr, to: Ipv4Addr, number: u8) -> Vec<u8> {
    let mut packet = vec![0; 40];
    packet[..10].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17]);
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    packet[39] = number;
    packet
}

#[test]
fn each_has_an_address_of_its_own_and_gets_its_own_packets() {
    const PEOPLE: u8 = 40;
    let mut world = World::new(PEOPLE, Conditions { loss: 5, ..Conditions::IDEAL });
    for number in 0..PEOPLE {
        world.arrive(number);
    }
    // More at once than the gateway takes without cookies.
    world.run(Duration::from_secs(120));
    world.net.conditions.loss = 0;
    let people = 0..usize::from(PEOPLE);
    let inner: Vec<Ipv4Addr> = people.clone().map(|index| world.inner(index)).collect();
    assert_eq!(inner.iter().collect::<BTreeSet<_>>().len(), inner.len(), "{inner:?}");
    assert_eq!(world.gateway.clients().count(), inner.len());

    for (index, inner) in inner.iter().enumerate() {
        assert!(world.send(Some(index), &packet(*inner, SERVER, index as u8)));
        assert!(world.send(None, &packet(SERVER, *inner, index as u8)));
    }
    world.run(Duration::from_millis(50));
    let mut received = core::mem::take(&mut world.received);
    received.sort_by_key(|packet| packet[39]);
    for index in people {
        let number = index as u8;
        assert_eq!(received[index], packet(inner[index], SERVER, number));
        assert_eq!(world.people[index].received, [packet(SERVER, inner[index], number)]);
    }
}

#[test]
fn nobody_speaks_for_another() {
    let mut world = World::new(2, Conditions::IDEAL);
    let (a, b) = (world.arrive(0), world.arrive(1));
    world.run(Duration::from_secs(5));
    let (inner_a, inner_b) = (world.inner(a), world.inner(b));
    assert!(!world.send(Some(a), &packet(inner_b, SERVER, 0)), "another's address");
    // Nor are clients connected with each other: their selectors name what is behind the gateway.
    assert!(!world.send(Some(a), &packet(inner_a, inner_b, 0)));
    assert!(!world.send(None, &packet(inner_a, inner_b, 0)));

    // A datagram of one that comes from where the other is: the SA decides whose it is, not the address.
    let mut buf = vec![0; Tunnels::HEADROOM];
    buf.extend(packet(inner_a, SERVER, 7));
    buf.resize(buf.len() + Tunnels::TAILROOM, 0);
    let range = Tunnels::HEADROOM..Tunnels::HEADROOM + 40;
    let sealed = world.people[a].client.handle_packet(world.now, &mut buf, range);
    let sealed = sealed.unwrap().expect("nothing is aggregated here");
    let payload = buf[sealed.datagram].to_vec();
    let from = SocketAddr::new(world.people[b].outer, 4500);
    world.net.send(world.now, Datagram { from, to: (GATEWAY, 4500).into(), payload });
    world.run(Duration::from_millis(50));
    assert_eq!(world.received, [packet(inner_a, SERVER, 7)]);
    assert!(world.send(None, &packet(SERVER, inner_b, 8)));
    world.run(Duration::from_millis(50));
    assert_eq!(world.people[b].received, [packet(SERVER, inner_b, 8)]);
}

#[test]
fn who_leaves_makes_room_and_disturbs_nobody() {
    let mut world = World::new(2, Conditions::IDEAL);
    let (a, b) = (world.arrive(0), world.arrive(1));
    world.run(Duration::from_secs(5));
    let late = world.arrive(2);
    world.run(Duration::from_secs(60));
    assert!(world.people[late].ended && world.people[late].inner.is_none(), "no address is left");
    let (inner_a, inner_b) = (world.inner(a), world.inner(b));
    world.gone.clear();

    world.people[a].client.disconnect(world.now);
    world.run(Duration::from_secs(5));
    assert_eq!((world.gone.len(), world.gateway.clients().count()), (1, 1));
    assert!(!world.send(None, &packet(SERVER, inner_a, 1)), "nobody has this address");
    assert!(world.send(None, &packet(SERVER, inner_b, 2)));
    let late = world.arrive(3);
    world.run(Duration::from_secs(5));
    assert_eq!(world.inner(late), inner_a);
    assert!(world.send(None, &packet(SERVER, inner_a, 3)));
    world.run(Duration::from_millis(50));
    assert_eq!(world.people[late].received, [packet(SERVER, inner_a, 3)]);
    assert_eq!(world.people[b].received, [packet(SERVER, inner_b, 2)]);
    assert!(world.people[a].received.is_empty());
}

//= RFC 7296 section 2.4: INITIAL_CONTACT says that older SAs of the same identity are remains.
#[test]
fn one_that_comes_again_without_leaving_replaces_itself_alone() {
    let mut world = World::new(3, Conditions::IDEAL);
    let (before, other) = (world.arrive(0), world.arrive(1));
    world.run(Duration::from_secs(5));
    let sas: BTreeSet<SaId> = world.gateway.clients().map(|(sa, _)| sa).collect();
    let again = world.arrive(0);
    world.run(Duration::from_secs(5));
    assert_eq!(world.gateway.clients().count(), 2);
    assert_eq!(world.gone.len(), 1);
    assert!(sas.contains(&world.gone[0]), "the old one");
    for index in [again, other] {
        let inner = world.inner(index);
        assert!(world.send(None, &packet(SERVER, inner, index as u8)));
        world.run(Duration::from_millis(50));
        assert_eq!(world.people[index].received, [packet(SERVER, inner, index as u8)]);
    }
    assert!(world.people[before].received.is_empty());
}

#[test]
fn what_one_path_carries_is_nothing_to_the_others() {
    let mut world = World::new(2, Conditions::IDEAL);
    let (a, b) = (world.arrive(0), world.arrive(1));
    world.run(Duration::from_secs(5));
    let sa_of = |world: &World, index: usize| {
        let outer = world.people[index].outer;
        let mut clients = world.gateway.clients();
        clients.find(|(_, client)| client.path.remote.ip() == outer).map(|(sa, _)| sa).unwrap()
    };
    let (sa_a, sa_b) = (sa_of(&world, a), sa_of(&world, b));
    let before = world.gateway.mtu(sa_b);
    world.gateway.handle_path_mtu(world.now, world.people[a].outer, 1280);
    assert_eq!(world.gateway.mtu(sa_a).zip(before).map(|(a, b)| b - a), Some(1500 - 1280));
    assert_eq!(world.gateway.mtu(sa_b), before);
}
