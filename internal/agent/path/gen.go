package path

// The object is committed, so that only who changes the C source needs clang.
// TestGenerated checks that the two belong together.

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel bpf path.bpf.c -- -Wall -Wextra -Werror
