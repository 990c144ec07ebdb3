//! Who may come in, and by what proof: roles and their verifiers, SCRAM, tokens, certificates.
//!
//! Pure: nothing here opens a socket or a file. The wire carries the messages of an exchange, the
//! gateway reads the files, the catalog reads roles from the views folder.

mod actor;
mod authority;
mod bearer;
mod certificate;
mod guard;
mod limit;
mod predefined;
mod privilege;
mod role;
mod scram;
mod token;
mod userlist;
mod verifier;

pub use actor::{Actor, Standing};
pub use authority::{Authority, Fact, Membership, RoleSetting};
pub use bearer::{OAUTHBEARER, bearer_challenge, bearer_farewell, bearer_token};
pub use certificate::Certificate;
pub use guard::{Guard, Login};
pub use limit::{Ceilings, Limit};
pub use predefined::{DATABASE_OWNER, OWNER, PREDEFINED, Predefined, predefined};
pub use privilege::{DefaultGrant, Grant, Object, Privilege, Readable, Rights};
pub use role::{Role, RoleChange, Roles, Until};
pub use scram::{Exchange, MECHANISM, MECHANISM_PLUS, Refusal, RefusalKind, Reply};
pub use token::{Claim, Keys, Proved, TokenError, TokenRules, Tokens};
pub use userlist::Userlist;
pub use verifier::{Password, Verifier};
