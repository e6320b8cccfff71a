// warm_up.cpp - warming of zygote and children. See warm_up.h.
#include "compiler/warm_up.h"
#include "compiler/link.h"
#include "compiler/memory_file.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

#include <unistd.h>
#include <poll.h>
#include <malloc.h>
#include <sys/mman.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kiln
{
namespace
{

constexpr const char *warm_directory = "/kiln-warm-up";
constexpr const char *warm_source = "/kiln-warm-up/warm.c";
// Small, but it takes the parser, the optimiser and the code generator through what most sources need.
constexpr const char *warm_text = "static int square(int x) { return x * x; }\n"
                                  "extern int other(const char *, ...);\n"
                                  "double scale = 2.5;\n"
                                  "int warm(int n, const double *v) {\n"
                                  "    int sum = 0;\n"
                                  "    for (int i = 0; i < n; i++) sum += square(i) + (int)(v[i] * scale);\n"
                                  "    return sum ? sum : other(\"%d\", n);\n"
                                  "}\n";

} // namespace

void register_targets()
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
}

void warm_zygote()
{
    Surroundings surroundings;
    surroundings.directory = "/";
    surroundings.virtual_directory = warm_directory;
    surroundings.memory_files = llvm::makeIntrusiveRefCnt<llvm::vfs::InMemoryFileSystem>();
    surroundings.memory_files->addFile(warm_source, 0, llvm::MemoryBuffer::getMemBuffer(warm_text));

    CompileRequest request;
    request.source = warm_source;
    request.arguments = {"-O2", "-gline-tables-only", "-fPIC"};
    CompileResult compiled = compile(request, surroundings);
    if (!compiled.output)
        return; // an incomplete installation; the first job is going to say so
    LinkRequest to_link;
    to_link.arguments = request.arguments;
    to_link.image_id = "kiln-warm-up";
    int object = memory_file_with("kiln-warm-up", {compiled.output->data(), compiled.output->size()}, false);
    to_link.inputs.push_back({"warm.o", "", object, false});
    LinkResult linked = link(to_link, surroundings);
    if (linked.output_fd >= 0)
        close(linked.output_fd);
    close(object);
}


void warm_memory()
{
    extern char text_begin __asm__("__executable_start");
    extern char text_end __asm__("etext");
    const char *e=getenv("KWARM"); int m=e?atoi(e):3;
    uintptr_t a=(uintptr_t)&text_begin & ~4095ul, b=((uintptr_t)&text_end+4095)&~4095ul;
    if (m&1) {
      FILE*f=fopen("/proc/self/maps","r"); char line[500]; struct{unsigned long x,y;int p;} v[20]; int n=0;
      while(fgets(line,500,f)){ unsigned long x,y; char p[8]; sscanf(line,"%lx-%lx %7s",&x,&y,p); 
       if(strstr(line,"kiln-compiler")&&p[1]!='w'&&n<20) { v[n].x=x; v[n].y=y; v[n].p=p[2]=='x'?5:1; n++; } }
      fclose(f);
      for(int i=0;i<n;i++){ if (v[i].x>=b) continue; int r=mprotect((void*)v[i].x,v[i].y-v[i].x,3|v[i].p); 
        volatile char*c=(volatile char*)v[i].x; *c=*c; mprotect((void*)v[i].x,v[i].y-v[i].x,v[i].p); if(r) abort(); }
    }
    if (m&4) {
        uintptr_t al=(a+(2<<20)-1)&~((2ul<<20)-1), bl=b&~((2ul<<20)-1);
        char*t=(char*)mmap(0,bl-al+(2<<20),3,MAP_PRIVATE|MAP_ANONYMOUS,-1,0);
        char*u=(char*)(((uintptr_t)t+(2<<20)-1)&~((2ul<<20)-1));
        madvise(u,bl-al,MADV_HUGEPAGE);
        memcpy(u,(void*)al,bl-al);
        mprotect(u,bl-al,5);
        mremap(u,bl-al,bl-al,MREMAP_MAYMOVE|MREMAP_FIXED,(void*)al);
    }
}


void warm_child(int channel)
{
    const char *e=getenv("KWARM"); int m=e?atoi(e):3;
    if (!(m&8)) return;
    struct pollfd p{channel,POLLIN,0};
    if (poll(&p,1,2)>0) return;
    const char *e2=getenv("KTOP"); long top=(e2?atol(e2):4)<<20;
    FILE*f=fopen("/proc/self/maps","r"); char line[500]; struct{unsigned long x,y;} v[20]; int n=0;
    extern char data_end __asm__("_end");
    while(fgets(line,500,f)){ unsigned long x,y; char pr[8]; sscanf(line,"%lx-%lx %7s",&x,&y,pr); 
       if (pr[1]!='w') continue;
       if(strstr(line,"[heap]")) { struct mallinfo2 mi=mallinfo2(); unsigned long used=y-mi.keepcost; unsigned long yy=(used+top+4095)&~4095ul; if (yy<y) y=yy; v[n].x=x; v[n++].y=y; }
       else if (x<(unsigned long)&data_end) { v[n].x=x; v[n++].y=y; }
    }
    fclose(f);
    for(int i=0;i<n;i++) for(unsigned long x=v[i].x;x<v[i].y;x+=256<<10){
       unsigned long len=v[i].y-x; if (len>(256<<10)) len=256<<10;
       madvise((void*)x,len,23);
       if (poll(&p,1,0)>0) return; }
}

} // namespace kiln
