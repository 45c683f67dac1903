#[test]
fn t(){ let s="[[feed]]\nname = 'a'\n[feed.columns]\na='int64'\n[[feed.sftp]]\nurl='x'\n\n[[summary]]\ntable='x'\n[[summary]]\ntable = 'b'\nsql = '''\nselect a\nfrom a'''\n"; println!("{}", super::Pipeline::parse("p.toml", s).unwrap_err());
 for k in sqlparser::keywords::ALL_KEYWORDS { let k=k.to_lowercase(); if crate::names::FeedName::new(k.clone()).is_ok() && !super::summary::can_stand_in_from(&k) { print!("{k} "); } } }
