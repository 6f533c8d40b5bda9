//! Copies stdin to stdout, 64 KiB at a time: measures what bulk data costs.

use std::io::{self, ErrorKind, Read, Write};

fn main() -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    // Straight to the descriptor: stdout's own buffer would look for newlines.
    let mut stdout = raw_stdout();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stdin.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => stdout.write_all(&buffer[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn raw_stdout() -> impl Write {
    use std::fs::File;
    use std::mem::ManuallyDrop;
    use std::os::fd::{FromRawFd, RawFd};

    const STDOUT: RawFd = 1;
    // SAFETY: descriptor 1 is open for the life of the program, and
    // ManuallyDrop keeps this handle from closing it.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(STDOUT) });
    Stdout(file)
}

struct Stdout(std::mem::ManuallyDrop<std::fs::File>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
