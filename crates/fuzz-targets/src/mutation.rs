//! Mutations that are the same every time: what the test tries where libFuzzer is not at hand.

/// Words that parsers look for; libFuzzer reads the same file.
const DICTIONARY: &str = include_str!("../../../fuzz/words.dict");
/// Changes of one mutation.
const CHANGES_MAX: u64 = 6;
/// Largest input that a mutation makes, in bytes.
const INPUT_BYTES_MAX: usize = 8 * 1024;
/// Numbers at which things change.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "127",
    "128",
    "255",
    "256",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "1e400",
    "0.5",
];

/// Makes inputs out of seeds.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// One whose mutations are those of this seed.
    pub fn new(seed: u64) -> Self {
        let numbers = NUMBERS.iter().map(|number| number.as_bytes().to_vec());
        Self { state: seed, words: words().chain(numbers).collect() }
    }

    /// Another input, made out of one of the seeds, of which there must be some.
    pub fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(seeds).clone();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut input, seeds);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let (start, end) = self.range(input.len());
        match self.below(9) {
            0 if start < input.len() => input[start] ^= 1 << self.below(8),
            1 if start < input.len() => input[start] = self.next() as u8,
            2 => drop(input.drain(start..end)),
            3 => {
                let piece = input[start..end].to_vec();
                let at = self.place(input.len());
                input.splice(at..at, piece);
            }
            4 => {
                let words = std::mem::take(&mut self.words);
                input.splice(start..start, self.pick(&words).iter().copied());
                self.words = words;
            }
            5 => {
                let words = std::mem::take(&mut self.words);
                input.splice(start..end, self.pick(&words).iter().copied());
                self.words = words;
            }
            6 => {
                let other = self.pick(seeds);
                let (from, to) = self.range(other.len());
                input.splice(start..end, other[from..to].iter().copied());
            }
            7 => self.change_number(input),
            _ => input.truncate(start),
        }
    }

    /// Puts another number in the place of one.
    fn change_number(&mut self, input: &mut Vec<u8>) {
        let from = self.place(input.len());
        let Some(start) = input[from..].iter().position(u8::is_ascii_digit).map(|found| from + found) else { return };
        let digits = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = *self.pick(NUMBERS);
        input.splice(start..start + digits, number.bytes());
    }

    fn place(&mut self, length: usize) -> usize {
        self.below(length as u64 + 1) as usize
    }

    /// A piece, short ones more often.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let start = self.place(length);
        let longest = if self.below(3) == 0 { length - start } else { (length - start).min(8) };
        (start, start + self.place(longest))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The words of the dictionary: lines `"word"`, in which `\"`, `\\` and `\xAB` stand for single bytes.
fn words() -> impl Iterator<Item = Vec<u8>> {
    let quoted = |line: &'static str| line.trim().strip_prefix('"')?.strip_suffix('"');
    DICTIONARY.lines().filter_map(quoted).map(|word| {
        let mut bytes = Vec::new();
        let mut rest = word.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'\\', [b'x', high, low, after @ ..]) => {
                    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
                    bytes.push(digit(*high) << 4 | digit(*low));
                    rest = after;
                }
                (b'\\', [escaped, after @ ..]) => {
                    bytes.push(*escaped);
                    rest = after;
                }
                _ => bytes.push(byte),
            }
        }
        bytes
    })
}
