//! Argon2id (RFC 9106): hashes a password, slowly and with much memory, as it
//! is meant to be. A load on memory, where others are on the processor.

use std::process::ExitCode;

use argon2::{Algorithm, Argon2, Params, Version};

const USAGE: &str = "\
usage: argon2 PASSWORD SALT [--memory KIB] [--passes N] [--lanes N]
       prints the Argon2id hash of 32 bytes in hexadecimal (19456 KiB, 2 passes, 1 lane);
       the salt has 8 bytes or more";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(hash) => {
            println!("{hash}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("argon2: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[&str]) -> Result<String, String> {
    let [password, salt, options @ ..] = args else {
        return Err(format!("a password and a salt are needed\n{USAGE}"));
    };
    let (mut memory, mut passes, mut lanes) = (Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, 1);
    for option in options.chunks(2) {
        let [name, value] = option else {
            return Err(format!("{} needs a number\n{USAGE}", option[0]));
        };
        let value = value
            .parse()
            .map_err(|_| format!("not a number: {value}"))?;
        match *name {
            "--memory" => memory = value,
            "--passes" => passes = value,
            "--lanes" => lanes = value,
            _ => return Err(format!("not understood: {name}\n{USAGE}")),
        }
    }
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|error| error.to_string())?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt.as_bytes(), &mut hash)
        .map_err(|error| error.to_string())?;
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}
