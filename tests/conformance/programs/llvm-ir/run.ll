; LLVM IR as a source, with a global constructor and a call to libc.
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

@counter = internal global i32 40
@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @construct, ptr null }]

declare i32 @printf(ptr, ...)

define internal void @construct() {
  %n = load i32, ptr @counter
  %m = add i32 %n, 2
  store i32 %m, ptr @counter
  ret void
}

define i32 @run() {
  %n = load i32, ptr @counter
  %r = call i32 (ptr, ...) @printf(ptr @text, i32 %n)
  ret i32 0
}

@text = private constant [12 x i8] c"from IR %d\0A\00"
