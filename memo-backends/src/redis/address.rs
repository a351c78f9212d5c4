//! Where servers are, and the URLs that say so.

use super::config::wrong;
use memo_core::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Where one server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// How the servers work together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    /// The sentinels know which server is the master of this name.
    Sentinel {
        master: String,
    },
    Cluster,
}

/// A user's name, if not the default one, and the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// All that a URL says.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) shape: Shape,
    /// At least one: the server, the sentinels, or nodes of the cluster.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) tls: bool,
    pub(super) credentials: Credentials,
    pub(super) sentinel_credentials: Credentials,
    pub(super) database: i64,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

impl fmt::Display for Address {
    /// For messages and for [`Debug`](fmt::Debug): without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Single => {}
            Shape::Sentinel { master } => write!(f, "{master} of the sentinels ")?,
            Shape::Cluster => f.write_str("the cluster of ")?,
        }
        for (number, endpoint) in self.endpoints.iter().enumerate() {
            write!(f, "{}{endpoint}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Says what is wrong with an address from a fixed list of texts: its own may hold a password.
fn unreadable() -> Error {
    wrong(
        "the address has the form redis://[user][:password]@host[:port][/database], unix:///path, \
         redis+sentinel://[user][:password]@host[:port],host[:port]/master[/database] or \
         redis+cluster://[user][:password]@host[:port],host[:port]; rediss for TLS; special characters in names and \
         passwords are percent-encoded",
    )
}

impl Endpoint {
    /// `host`, `host:port` or `[v6]:port`.
    pub(super) fn parse(text: &str, default_port: u16) -> Result<Endpoint, Error> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(unreadable)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| unreadable())?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(unreadable)?) })
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = match port {
            Some(port) => u16::from_str(port).ok().filter(|port| *port != 0).ok_or_else(unreadable)?,
            None => default_port,
        };
        let plain = |character: char| character.is_alphanumeric() || "-._:%".contains(character);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(unreadable());
        }
        if host == "0.0.0.0" || host == "::" {
            return Err(wrong("0.0.0.0 and :: are addresses to listen on; name the server's own"));
        }
        Ok(Endpoint::Tcp { host: host.to_owned(), port })
    }
}

impl Address {
    /// Several nodes, as the builder takes them.
    pub(super) fn of_nodes<N: AsRef<str>>(shape: Shape, nodes: impl IntoIterator<Item = N>) -> Result<Address, Error> {
        let port = shape.default_port();
        let endpoints: Vec<_> =
            nodes.into_iter().map(|node| Endpoint::parse(node.as_ref(), port)).collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            return Err(wrong("name at least one node, as host or host:port"));
        }
        let (credentials, sentinel_credentials) = (Credentials::default(), Credentials::default());
        Ok(Address { shape, endpoints, tls: false, credentials, sentinel_credentials, database: 0 })
    }

    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Address, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(unreadable)?;
        if rest.contains('#') {
            return Err(wrong(
                "a `#` in the address: percent-encode it in a password as %23; there is no `#insecure`, give the \
                 server's root certificate to `root_certificates` instead",
            ));
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (family, shape) = scheme.split_once('+').map_or((scheme, None), |(family, shape)| (family, Some(shape)));
        if matches!((family, shape), ("unix", None) | ("redis" | "valkey", Some("unix"))) {
            return Address::parse_unix(rest, query);
        }
        let tls = match family {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(unreadable()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((user_info, hosts)) => (Credentials::parse(user_info)?, hosts),
            None => (Credentials::default(), authority),
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        let (shape, database) = match shape {
            None => (Shape::Single, database(path)?),
            Some("cluster") => (Shape::Cluster, database(path)?),
            Some("sentinel") => {
                let (master, number) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(wrong(
                        "the path of the address begins with the name of the master, as in \
                         redis+sentinel://host:26379/mymaster/0",
                    ));
                }
                (Shape::Sentinel { master: decode(master)? }, database(number)?)
            }
            Some(_) => return Err(unreadable()),
        };
        if shape == Shape::Single && hosts.contains(',') {
            return Err(wrong(
                "several hosts are a Cluster or sentinels: write redis+cluster://… or redis+sentinel://…/master",
            ));
        }
        let mut address = Address::of_nodes(shape, hosts.split(','))?;
        (address.tls, address.credentials, address.database) = (tls, credentials, database);
        for (name, value) in parameters(query) {
            match (&address.shape, name) {
                (Shape::Sentinel { .. }, "sentinel_user") => address.sentinel_credentials.user = Some(decode(value)?),
                (Shape::Sentinel { .. }, "sentinel_password") => {
                    address.sentinel_credentials.password = Some(decode(value)?);
                }
                _ => return Err(unknown_parameter()),
            }
        }
        Ok(address)
    }

    /// `unix:///path?db=2&user=…&pass=…`, the parameters as other clients of Redis call them.
    fn parse_unix(path: &str, query: Option<&str>) -> Result<Address, Error> {
        if !cfg!(unix) {
            return Err(wrong("this system has no Unix sockets"));
        }
        if !path.starts_with('/') {
            return Err(unreadable());
        }
        let mut address = Address {
            shape: Shape::Single,
            endpoints: vec![Endpoint::Unix(PathBuf::from(decode(path)?))],
            tls: false,
            credentials: Credentials::default(),
            sentinel_credentials: Credentials::default(),
            database: 0,
        };
        for (name, value) in parameters(query) {
            match name {
                "db" => address.database = database(value)?,
                "user" => address.credentials.user = Some(decode(value)?),
                "pass" => address.credentials.password = Some(decode(value)?),
                _ => return Err(unknown_parameter()),
            }
        }
        Ok(address)
    }
}

impl Shape {
    fn default_port(&self) -> u16 {
        if matches!(self, Shape::Sentinel { .. }) { SENTINEL_PORT } else { SERVER_PORT }
    }
}

impl Credentials {
    fn parse(user_info: &str) -> Result<Credentials, Error> {
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(decode(password)?)),
            None => (user_info, None),
        };
        Ok(Credentials { user: if user.is_empty() { None } else { Some(decode(user)?) }, password })
    }
}

fn unknown_parameter() -> Error {
    wrong(
        "a parameter of the address is unknown: unix:// takes db, user and pass, redis+sentinel:// takes sentinel_user \
         and sentinel_password",
    )
}

fn database(text: &str) -> Result<i64, Error> {
    if text.is_empty() {
        return Ok(0);
    }
    let number = i64::from_str(text).ok().filter(|number| *number >= 0);
    number.ok_or_else(|| wrong("the path of the address is the number of a database, as in redis://host:6379/2"))
}

fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let code = rest.split_at_checked(2).and_then(|(code, after)| {
            rest = after;
            u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()
        });
        bytes.push(code.ok_or_else(unreadable)?);
    }
    String::from_utf8(bytes).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;
    use memo_core::ErrorKind;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.to_owned(), port }
    }

    fn credentials(user: &str, password: &str) -> Credentials {
        let given = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
        Credentials { user: given(user), password: given(password) }
    }

    #[test]
    fn a_single_server() {
        for (url, endpoint, tls, who, database) in [
            ("redis://localhost", tcp("localhost", 6379), false, credentials("", ""), 0),
            ("valkey://u:p@h:7/2/", tcp("h", 7), false, credentials("u", "p"), 2),
            ("rediss://:a%2Fb%40c@h/", tcp("h", 6379), true, credentials("", "a/b@c"), 0),
            ("valkeys://[::1]:99", tcp("::1", 99), true, credentials("", ""), 0),
            ("redis://us%65r@h", tcp("h", 6379), false, credentials("user", ""), 0),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.shape, Shape::Single, "{url}");
            assert_eq!((address.endpoints, address.tls), (vec![endpoint], tls), "{url}");
            assert!(address.credentials == who && address.database == database, "{url}");
        }
    }

    #[test]
    fn several_nodes() {
        let cluster = Address::parse("rediss+cluster://u:p@one,two:7001").unwrap();
        assert_eq!(cluster.shape, Shape::Cluster);
        assert_eq!(cluster.endpoints, [tcp("one", 6379), tcp("two", 7001)]);
        assert!(cluster.tls && cluster.credentials == credentials("u", "p"));
        assert_eq!(cluster.to_string(), "the cluster of one:6379, two:7001");

        let url = "redis+sentinel://u:p@one,[::1]:7/my%20master/3?sentinel_user=a&sentinel_password=b%26c";
        let sentinel = Address::parse(url).unwrap();
        assert_eq!(sentinel.shape, Shape::Sentinel { master: "my master".into() });
        assert_eq!(sentinel.endpoints, [tcp("one", 26379), tcp("::1", 7)]);
        assert_eq!(sentinel.database, 3);
        assert!(
            sentinel.credentials == credentials("u", "p") && sentinel.sentinel_credentials == credentials("a", "b&c")
        );
        assert_eq!(sentinel.to_string(), "my master of the sentinels one:26379, [::1]:7");
    }

    #[cfg(unix)]
    #[test]
    fn a_socket() {
        for url in
            ["unix:///run/a%20b.sock?db=2&user=u&pass=p%3D", "redis+unix:///run/a%20b.sock?user=u&pass=p%3D&db=2"]
        {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.endpoints, [Endpoint::Unix("/run/a b.sock".into())]);
            assert!(address.database == 2 && address.credentials == credentials("u", "p="));
        }
    }

    #[test]
    fn what_can_not_be_read_is_told_without_repeating_it() {
        for wrong in [
            "geheim",
            "http://geheim",
            "redis://geheim:x",
            "redis://:geheim@",
            "redis://h/geheim",
            "redis://h/-1",
            "redis://h:0",
            "redis://h:gehe/im",
            "redis://:gehe%zzim@h",
            "redis://:geheim%f@h",
            "redis://:gehe#im@h",
            "rediss://h/#insecure",
            "redis://h?geheim=1",
            "redis://one,two",
            "redis://[geheim]",
            "redis+sentinel://h",
            "redis+sentinel://h/master?geheim=1",
            "redis+geheim://h",
            "unix://geheim",
            "redis://0.0.0.0",
        ] {
            let error = Address::parse(wrong).err().unwrap_or_else(|| panic!("{wrong} was read"));
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error:?}").contains("gehe"), "{error:?}");
        }
    }
}
