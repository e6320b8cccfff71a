/* hot_constructs.c - every kind of construct is edited, step by step and back again: after each step the
 * library does what a fresh build of that text does. The numbers are those of fresh builds. */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

enum { steps_at_most = 8 };

/* The first place of `from` that there is, and all others, become `to`; then `int run(void)` gives the value. */
typedef struct step {
    const char *from, *to;
    int value;
} step;

typedef struct construct {
    const char *name, *text;
    int value;
    step steps[steps_at_most];
} construct;

static const construct of_c[] = {
    {"const",
     "static const int t[]={1,2,3};static const char*const n[]={\"a\",\"bb\",\"ccc\"};\n#include "
     "<string.h>\nint run(void){int s=0;for(unsigned i=0;i<sizeof "
     "t/sizeof*t;i++)s+=t[i]*(int)strlen(n[i%3]);return s;}\n",
     14,
     {{"{1,2,3}", "{4,5,6}", 32},
      {"\"bb\"", "\"bbbbb\"", 47},
      {"{4,5,6}", "{4,5,6,7}", 54},
      {"s+=t[i]", "s+=2*t[i]", 108},
      {"{4,5,6,7}", "{1,2,3}", 40}}},
    {"goto",
     "int step(int n){static void*const l[]={&&a,&&b,&&c};goto*l[n%3];a:return 1;b:return "
     "2;c:return 3;}\nint run(void){return step(0)*100+step(1)*10+step(2);}\n",
     123,
     {{"return 2", "return 7", 173}, {"return 3", "return 8", 178}, {"n%3", "(n+1)%3", 781}}},
    {"fptr",
     "static int a(int x){return x+1;}static int b(int x){return x+2;}\nstatic int(*const "
     "ops[])(int)={a,b};static int(*cur)(int)=a;\nint run(void){return "
     "ops[0](1)*100+ops[1](1)*10+cur(1);}\n",
     232,
     {{"x+1", "x+5", 636},
      {"x+2", "x+6", 676},
      {"{a,b}", "{b,a}", 766},
      {"ops[0](1)", "ops[0](2)", 866}}},
    {"weak",
     "__attribute__((weak))int w(void){return 1;}\nint al(void)__attribute__((alias(\"w\")));\nint "
     "run(void){return w()*10+al();}\n",
     11,
     {{"return 1", "return 2", 22}, {"return 2", "return 3", 33}, {"w()*10", "w()*20", 63}}},
    {"aliasbody",
     "int impl(int x){return x+1;}\nint f(int)__attribute__((alias(\"impl\")));int "
     "run(void){return "
     "impl(1)*10+f(2);}\n",
     23,
     {{"int f(int)__attribute__((alias(\"impl\")));", "int f(int x){return impl(x)+5;}", 28},
      {"x+1", "x+2", 39},
      {"impl(x)+5", "impl(x)+6", 40}}},
    {"aliastarget",
     "int a(void){return 1;}static int b(void){return 2;}\n__attribute__((weak,alias(\"a\")))int "
     "f(void);static int l(void)__attribute__((alias(\"b\")));int run(void){return "
     "f()*100+l()*10+b();}\n",
     122,
     {{"alias(\"a\")", "alias(\"b\")", 222},
      {"return 2", "return 3", 333},
      {"static int l(void)__attribute__((alias(\"b\")));", "static int l(void){return 7;}", 373}}},
    {"aliasvarargs",
     "#include <stdarg.h>\nint va(int n,...){va_list l;va_start(l,n);int "
     "s=0;while(n--)s+=(int)va_arg(l,double);va_end(l);return s;}int "
     "f(int,...)__attribute__((alias(\"va\")));int run(void){return f(2,1.0,2.0)*10+va(1,5.0);}\n",
     35,
     {{"va_arg(l,double)", "va_arg(l,double)*2", 70}, {"f(2,1.0", "f(2,3.0", 110}}},
    {"asm",
     "int run(void){int r;__asm__(\"movl $5,%0\":\"=r\"(r));return r;}\n",
     5,
     {{"$5", "$6", 6}}},
    {"switchenum",
     "enum e{A=1,B=2};static int f(enum e x){switch(x){case A:return 10;case B:return 20;}return "
     "0;}\nint run(void){return f(A)+f(B);}\n",
     30,
     {{"B=2", "B=3", 30},
      {"return 20", "return 30", 40},
      {"case B", "case B:return 21;case 5", 31}}},
    {"structret",
     "struct s{int a,b;};static struct s f(int x){struct s r={x,x+1};return r;}\nint "
     "run(void){struct s r=f(1);return r.a*10+r.b;}\n",
     12,
     {{"x+1}", "x+2}", 13},
      {"int a,b;", "int a,b,c;", 13},
      {"r.b;", "r.b+r.c;", 13},
      {"x,x+2", "x,x+2,5", 18}}},
    {"bitfield",
     "struct b{unsigned a:3,b:5;};static struct b v={1,2};int run(void){return v.a*100+v.b;}\n",
     102,
     {{"v.a*100", "v.a*200", 202}, {"v.b;", "v.b+1;", 203}}},
    {"vla",
     "#include <stdarg.h>\nstatic int va(int n,...){va_list l;va_start(l,n);int "
     "s=0;while(n--)s+=va_arg(l,int);va_end(l);return s;}int run(void){return va(3,1,2,3);}\n",
     6,
     {{"s+=va", "s+=2*va", 12}, {"va(3,1,2,3)", "va(4,1,2,3,4)", 20}}},
    {"nested",
     "static int g(int x){int h(int y);return h(x);}int h(int y){static struct{int a;}s={3};return "
     "y+s.a;}int run(void){return g(1);}\n",
     4,
     {{"y+s.a", "y*s.a", 3}, {"h(x)", "h(x+1)", 6}}},
    {"unionmacro",
     "#define F(n) static int f##n(int x){return x+n;}\nF(1)F(2)\nint run(void){return "
     "f1(10)+f2(20);}\n",
     33,
     {{"x+n", "x*n", 50}, {"F(2)", "F(2)F(3)", 50}, {"f2(20)", "f2(20)+f3(1)", 53}}},
    {"cglob",
     "struct n{int v;struct n*next;};static struct n a={1,0},b={2,&a};struct n*head=&b;static int "
     "cnt;int run(void){int s=0;for(struct n*p=head;p;p=p->next)s+=p->v;return s+cnt*0;}\n",
     3,
     {{"s+=p->v", "s+=p->v*3", 9},
      {"cnt*0", "cnt*0+1", 10},
      {"static int cnt;", "static int cnt;static struct n c={9,&b};", 10},
      {"p=head", "p=&c", 37}}},
    {"ctentative",
     "int arr[4];extern int ext;int ext=5;int com;int run(void){arr[1]=2;com=3;return "
     "arr[1]+ext+com;}\n",
     10,
     {{"arr[1]=2", "arr[1]=4", 12},
      {"com=3", "com=6", 15},
      {"int com;", "int com,more;", 15},
      {"+com;", "+com+more;", 15}}},
    {"float",
     "#include <math.h>\nstatic double f(double x){return x*1.5;}int run(void){return "
     "(int)(f(2)*100)+(int)floor(2.7f);}\n",
     302,
     {{"1.5", "2.5", 502}, {"2.7f", "3.7f", 503}, {"x*2.5", "x/2.5", 83}}},
    {"int128",
     "typedef unsigned __int128 u;static u m(u a,u b){return a*b;}int run(void){return "
     "(int)(m(1ull<<40,1ull<<30)>>60);}\n",
     1024,
     {{"a*b", "a*b*3", 3072}, {">>60", ">>58", 12288}, {"1ull<<30", "1ull<<31", 24576}}},
    {"vec",
     "typedef int v4 __attribute__((vector_size(16)));static v4 add(v4 a,v4 b){return a+b;}int "
     "run(void){v4 r=add((v4){1,2,3,4},(v4){5,6,7,8});v4 "
     "s=__builtin_shufflevector(r,r,3,2,1,0);return r[0]*100+s[0];}\n",
     612,
     {{"a+b", "a*b", 532}, {"3,2,1,0", "2,2,1,0", 521}, {"r[0]*100", "r[1]*100", 1221}}},
    {"atomics",
     "#include <stdatomic.h>\nstatic atomic_int a;int run(void){atomic_store(&a,5);int "
     "e=5;atomic_compare_exchange_strong(&a,&e,9);return "
     "atomic_fetch_add(&a,2)*10+atomic_load(&a);}\n",
     101,
     {{"fetch_add", "fetch_sub", 97},
      {"&e,9)", "&e,8)", 86},
      {"atomic_load(&a)", "atomic_load_explicit(&a,memory_order_relaxed)", 86}}},
    {"setjmp",
     "#include <setjmp.h>\nstatic jmp_buf j;static void go(int n){longjmp(j,n);}int run(void){int "
     "r=setjmp(j);if(!r)go(4);return r*10;}\n",
     40,
     {{"go(4)", "go(6)", 60}, {"r*10", "r*20", 120}, {"longjmp(j,n)", "longjmp(j,n+1)", 140}}},
    {"blockscope",
     "int run(void){int t=0;{static int s=1;t+=s;}{static int s=10;t+=s;}for(int "
     "i=0;i<3;i++){static const int w[]={1,2,3};t+=w[i];}return t;}\n",
     17,
     {{"t+=w[i]", "t+=2*w[i]", 23}, {"{1,2,3}", "{1,2,4}", 25}, {"i<3", "i<2", 17}}},
    {"ptrtostatic",
     "static const char*const names[]={\"one\",\"two\"};static const char*pick(int i){return "
     "names[i];}\n#include <string.h>\nint run(void){return (int)strlen(pick(0))*10+pick(1)[0];}\n",
     146,
     {{"\"one\"", "\"three\"", 166}, {"\"two\"", "\"xwo\"", 170}, {"names[i]", "names[1-i]", 146}}},
    {"sections",
     "__attribute__((section(\".mine\")))static int f(void){return "
     "3;}__attribute__((section(\"dat\")))static int d=4;__attribute__((aligned(64)))static char "
     "al[3]={1,2,3};int run(void){return f()*10+d+al[1];}\n",
     36,
     {{"return 3", "return 5", 56},
      {"al[1]", "al[2]", 57},
      {"aligned(64)", "aligned(128)", 57},
      {"\".mine\"", "\".other\"", 57}}},
    {"cleanup",
     "static int log_;static void cl(int*p){log_+=*p;}int run(void){log_=0;{int x "
     "__attribute__((cleanup(cl)))=3;}return log_;}\n",
     3,
     {{"log_+=*p", "log_+=*p*2", 6}, {"=3;", "=5;", 10}}},
    {"cmplx",
     "#include <complex.h>\nstatic double complex f(double complex x){return x*x;}int "
     "run(void){double complex r=f(1+2*I);return (int)creal(r)*100+(int)cimag(r);}\n",
     -296,
     {{"x*x", "x*x+1", -196}, {"1+2*I", "2+1*I", 404}}},
    {"manyedits",
     "static int a(void){return 1;}static int b(void){return a()+1;}static int c(void){return "
     "b()+1;}int run(void){return c();}\n",
     3,
     {{"return 1", "return 2", 4},
      {"a()+1", "a()+2", 5},
      {"b()+1", "b()+2", 6},
      {"return c()", "return c()+a()", 8},
      {"return 2;}static int b", "int q=3;return q;}static int b", 10},
      {"a()+2", "a()*2", 11}}},
};

static const construct of_cxx[] = {
    {"virt",
     "struct A{virtual int f(){return 1;}virtual int g(){return 2;}virtual~A(){}};struct B:A{int "
     "f()override;};int B::f(){return 10;}\nstatic A*mk(){return new B;}\nextern \"C\" int "
     "run(){A*a=mk();int r=a->f()*100+a->g();delete a;return r;}\n",
     1002,
     {{"return 10", "return 20", 2002},
      {"return 2;", "return 3;", 2003},
      {"struct B:A{int f()override;}", "struct B:A{int f()override;int g()override{return 7;}}",
       2007},
      {"return 1;", "return 9;", 2007}}},
    {"tmpl",
     "template<class T>T sq(T x){return x*x;}\ntemplate<>int sq<int>(int x){return "
     "x+1;}\ntemplate<class...A>int sum(A...a){return (0+...+a);}\nextern \"C\" int run(){return "
     "sq(3)+int(sq(2.0))+sum(1,2,3);}\n",
     14,
     {{"return x*x", "return x*x*x", 18},
      {"return x+1", "return x+2", 19},
      {"sum(1,2,3)", "sum(1,2,3,4)", 23},
      {"(0+...+a)", "(1+...+a)", 24},
      {"sq(2.0)", "sq(2.0f)", 24}}},
    {"lambda",
     "static int ap(int(*f)(int),int x){return f(x);}\nextern \"C\" int run(){auto l=[](int "
     "x){return x+1;};auto m=[&](int y){auto n=[=](int z){return z+y+l(1);};return n(2);};return "
     "ap(l,3)+m(4);}\n",
     12,
     {{"x+1", "x+2", 14},
      {"z+y", "z*y", 16},
      {"auto l=", "auto k=[](int q){return q*5;};auto l=", 16},
      {"m(4);", "m(4)+k(1);", 21},
      {"n(2)", "n(3)", 25},
      {"[](int q){return q*5;}", "[](int q){return q*6;}", 26}}},
    {"staticlocal",
     "static int next(){static int n=5;return n;}\nstruct S{static int k;static int get(){static S "
     "s;return s.v;}int v=3;};int S::k=4;\nextern \"C\" int run(){return "
     "next()*100+S::k*10+S::get();}\n",
     543,
     {{"return n;", "return n*2;", 1043},
      {"return s.v", "return s.v+1", 1044},
      {"S::k*10", "S::k*20", 1084}}},
    {"memptr",
     "struct A{int f(int x){return x+1;}virtual int g(int x){return x+2;}virtual ~A(){}};typedef "
     "int(A::*M)(int);static const M t[]={&A::f,&A::g};\nextern \"C\" int run(){A a;return "
     "(a.*t[0])(1)*10+(a.*t[1])(1);}\n",
     23,
     {{"x+1", "x+3", 43}, {"x+2", "x+4", 45}, {"{&A::f,&A::g}", "{&A::g,&A::f}", 54}}},
    {"inlinevar",
     "inline int iv(){return 3;}inline constexpr int cc=4;constexpr int cf(int x){return "
     "x*cc;}\nstatic_assert(cf(1)>0);\nextern \"C\" int run(){int arr[cf(2)];return sizeof "
     "arr/sizeof*arr+iv();}\n",
     11,
     {{"cc=4", "cc=5", 13}, {"return 3", "return 6", 16}, {"x*cc", "x*cc+1", 17}}},
    {"anon",
     "namespace{int h(int x){return x+1;}struct Q{int v;Q(int x):v(h(x)){}int "
     "operator()()const{return v;}};}\nnamespace n{static int h(int x){return x+2;}namespace{int "
     "k(){return h(3);}}int pub(){return k();}}\nextern \"C\" int run(){return "
     "Q(1)()*10+n::pub();}\n",
     25,
     {{"x+1", "x+4", 55},
      {"x+2", "x+5", 58},
      {"h(3)", "h(4)", 59},
      {"v(h(x))", "v(h(x)+1)", 69},
      {"return v;", "return v*2;", 129}}},
    {"dtor",
     "static int log_;struct R{int v;R(int x):v(x){}~R(){log_+=v;}};\nextern \"C\" int "
     "run(){log_=0;{R a(1);R b(2);}return log_;}\n",
     3,
     {{"log_+=v", "log_+=v*10", 30}, {"v(x)", "v(x+1)", 50}, {"R b(2)", "R b(3);R c(4)", 110}}},
    {"rtti",
     "#include <typeinfo>\nstruct A{virtual~A(){}};struct B:A{};struct C:B{int z=1;};\nstatic "
     "A*mk(int n){if(n==0)return new B;return new C;}\nextern \"C\" int "
     "run(){A*a=mk(0),*c=mk(1);int "
     "r=(dynamic_cast<C*>(a)?1:0)+(dynamic_cast<B*>(c)?10:0)+(typeid(*c)==typeid(C)?100:0);delete "
     "a;delete c;return r;}\n",
     110,
     {{"n==0", "n==1", 11}, {"?10:", "?20:", 21}}},
    {"ops",
     "struct V{int x;V operator+(V o)const{return{x+o.x};}friend V operator*(V a,int k);explicit "
     "operator int()const{return x;}};V operator*(V a,int k){return{a.x*k};}\nextern \"C\" int "
     "run(){return int((V{1}+V{2})*3);}\n",
     9,
     {{"a.x*k", "a.x*k+1", 10}, {"x+o.x", "x-o.x", -2}, {"return x;", "return -x;", 2}}},
    {"pmf_static",
     "struct T{static int make(){static int c=1;struct L{static int z(){return 5;}};return "
     "c+L::z();}};extern \"C\" int run(){return T::make();}\n",
     6,
     {{"return 5", "return 6", 7}, {"c+L", "c*2+L", 8}}},
    {"class_members",
     "struct P{int a=1;int get()const{return a;}static int cnt(){return c;}static inline int "
     "c=2;};struct Q:P{int b=3;int get()const{return P::get()+b;}};extern \"C\" int run(){Q "
     "q;return q.get()*10+Q::cnt();}\n",
     42,
     {{"return a;", "return a+5;", 92},
      {"P::get()+b", "P::get()*b", 182},
      {"return c;", "return c+1;", 183}}},
    {"multi_inherit",
     "struct A{virtual int f(){return 1;}virtual~A(){}};struct B{virtual int g(){return "
     "2;}virtual~B(){}};struct C:A,B{int f()override{return 3;}int g()override{return 4;}};static "
     "B*b(){return new C;}extern \"C\" int run(){B*p=b();int "
     "r=p->g()*10+dynamic_cast<A*>(p)->f();delete p;return r;}\n",
     43,
     {{"return 4", "return 5", 53},
      {"return 3", "return 6", 56},
      {"int g()override{return 5;}", "", 26}}},
    {"virtbase",
     "struct V{int v=7;virtual int k(){return v;}virtual~V(){}};struct A:virtual V{};struct "
     "B:virtual V{int k()override{return v+1;}};struct D:A,B{};extern \"C\" int run(){D "
     "d;A*a=&d;return a->k();}\n",
     8,
     {{"v+1", "v+2", 9},
      {"return v;", "return v*2;", 9},
      {"int k()override{return v+2;}", "", 14}}},
    {"ctor_defarg",
     "struct T{int x;T(int a=3,int b=4):x(a*b){}};static int f(int q=5){return q;}extern \"C\" int "
     "run(){return T().x+T(2).x+f();}\n",
     25,
     {{"b=4", "b=6", 35}, {"q=5", "q=9", 39}, {"a*b", "a+b", 26}}},
    {"templ_class",
     "template<class T,int N>struct Arr{T d[N];int sum()const{int s=0;for(auto x:d)s+=x;return "
     "s;}static int cnt;};template<class T,int N>int Arr<T,N>::cnt=N;extern \"C\" int "
     "run(){Arr<int,3>a{1,2,3};return a.sum()*10+Arr<int,4>::cnt;}\n",
     64,
     {{"s+=x", "s+=x*2", 124},
      {"Arr<int,4>::cnt", "Arr<int,5>::cnt", 125},
      {"int s=0", "int s=1", 135}}},
    {"concept",
     "template<class T>concept Num=requires(T t){t+t;};template<Num T>int f(T x){return "
     "int(x+x);}template<class T>int f(T*x){return *x;}extern \"C\" int run(){int q=3;return "
     "f(2)*10+f(&q);}\n",
     43,
     {{"int(x+x)", "int(x*3)", 63}, {"return *x;", "return *x+1;", 64}}},
    {"fold_constexpr_if",
     "template<class T>int kind(){if constexpr(sizeof(T)>4)return 8;else return 4;}consteval int "
     "ce(int x){return x*2;}extern \"C\" int run(){return "
     "kind<long>()*100+kind<int>()*10+ce(3);}\n",
     846,
     {{"return 8", "return 9", 946}, {"x*2", "x*3", 949}, {"kind<int>", "kind<double>", 999}}},
    {"exc_types",
     "struct E1{int c;};struct E2:E1{};static void t(int k){if(k==1)throw E1{5};if(k==2)throw "
     "E2{{6}};throw 7;}static int c(int k){try{t(k);}catch(E2&e){return "
     "e.c+100;}catch(E1&e){return e.c+10;}catch(int i){return i;}catch(...){return -1;}return "
     "0;}extern \"C\" int run(){return c(1)+c(2)+c(3);}\n",
     128,
     {{"throw E1{5}", "throw E1{15}", 138},
      {"catch(E2&e){return e.c+100;}", "", 48},
      {"throw 7", "throw 7.0", 40}}},
    {"dtoralias",
     "struct "
     "Base{int*p;Base(int*q);~Base();};Base::Base(int*q):p(q){}Base::~Base(){*p+=1;}\nstruct "
     "Derived:Base{Derived(int*q);~Derived();};Derived::Derived(int*q):Base(q){}Derived::~Derived()"
     "{}extern \"C\" int run(){int n=0;{Derived d(&n);}{Base b(&n);}return n;}\n",
     2,
     {{"~Derived(){}", "~Derived(){*p+=10;}", 12},
      {"*p+=1;", "*p+=2;", 14},
      {"*p+=10;", "*p=*p*3+1;", 5}}},
    {"ctorinit",
     "struct Foo{int v;Foo();};Foo::Foo(){v=1;}static int get(){return 0;}extern \"C\" int "
     "run(){return get()*10+Foo().v;}\n",
     1,
     {{"v=1;}static int get(){return 0;}", "v=7;}Foo b;static int get(){return b.v;}", 77},
      {"v=7", "v=8", 78}}},
    {"noexc",
     "#include <new>\n#include <cstdlib>\nstruct A{static void*operator new(size_t n){return "
     "malloc(n+8);}static void operator delete(void*p){free(p);}int x=3;};extern \"C\" int "
     "run(){A*a=new A;int r=a->x;delete a;return r;}\n",
     3,
     {{"x=3", "x=4", 4}, {"malloc(n+8)", "malloc(n+16)", 4}}},
    {"statref",
     "static int a=1,b=2;static int&r=a;int*const pp=&b;extern \"C\" int run(){return r*10+*pp;}\n",
     12,
     {{"r*10", "r*20", 22}, {"*pp;", "*pp+1;", 23}}},
    {"enumclass",
     "enum class E:char{a=1,b=2};static int f(E e){switch(e){case E::a:return 1;case E::b:return "
     "2;}return 9;}extern \"C\" int run(){return f(E::a)*10+f(E::b);}\n",
     12,
     {{"return 2", "return 3", 13}, {"a=1", "a=5", 13}, {"b=2", "b=7", 13}}},
    {"usinglit",
     "constexpr unsigned long long operator\"\"_k(unsigned long long x){return x*1000;}extern "
     "\"C\" int run(){return int(3_k);}\n",
     3000,
     {{"x*1000", "x*1024", 3072}, {"3_k", "5_k", 5120}}},
    {"friendadl",
     "namespace n{struct X{int v;friend int val(X x){return x.v;}};inline namespace v1{inline int "
     "k(){return 4;}}}extern \"C\" int run(){return val(n::X{3})*10+n::k();}\n",
     34,
     {{"return x.v", "return x.v+1", 44}, {"return 4", "return 5", 45}}},
    {"hostlocal",
     "extern \"C\" int run(){struct L{int v;int twice(){return v*2;}}l{4};auto "
     "f=[l]()mutable{return l.twice();};return f();}\n",
     8,
     {{"v*2", "v*3", 12},
      {"l{4}", "l{6}", 18},
      {"struct L{int v;", "struct L{int v;int w=1;", 18}}},
    {"nestedfn_template",
     "template<class F>static int app(F f,int x){return f(x);}static int outer(int k){return "
     "app([k](int x){return app([x,k](int y){return x*y+k;},3);},4);}extern \"C\" int run(){return "
     "outer(2);}\n",
     14,
     {{"x*y+k", "x+y+k", 9}, {"},3)", "},5)", 11}, {"outer(2)", "outer(3)", 12}}},
};

/* With headers of the library, whose templates and inline functions are edited along. */
static const construct of_library[] = {
    {"generic",
     "#include <vector>\n#include <algorithm>\n#include <numeric>\nextern \"C\" int "
     "run(){std::vector<int>v(10);std::iota(v.begin(),v.end(),1);std::sort(v.begin(),v.end(),[]("
     "auto a,auto b){return a>b;});return v[0]*100+std::accumulate(v.begin(),v.end(),0);}\n",
     1055,
     {{"a>b", "a<b", 155}, {"v(10)", "v(12)", 178}, {"v[0]*100", "v[0]*1000", 1078}}},
    {"except",
     "#include <stdexcept>\n#include <string>\nstatic int thrower(int n){if(n>2)throw "
     "std::runtime_error(\"x\"+std::to_string(n));return n;}\nstatic int mid(int n){struct "
     "G{~G(){}}g;return thrower(n);}\nextern \"C\" int run(){try{return "
     "mid(1)+mid(5);}catch(std::exception&e){return e.what()[1];}}\n",
     53,
     {{"n>2", "n>3", 53},
      {"\"x\"+", "\"yz\"+", 122},
      {"n>3", "n>30", 6},
      {"mid(5)", "mid(50)", 122}}},
    {"recur",
     "#include <functional>\nstatic int fib(int n){return n<2?n:fib(n-1)+fib(n-2);}\nextern \"C\" "
     "int run(){std::function<int(int)>f=[&](int n){return n<2?1:f(n-1)*n;};return "
     "fib(10)+f(5);}\n",
     175,
     {{"n<2?n:", "n<2?1:", 209}, {"f(n-1)*n", "f(n-1)+n", 104}, {"fib(10)", "fib(12)", 248}}},
    {"coro",
     "#include <coroutine>\nstruct G{struct promise_type{int v;G "
     "get_return_object(){return{std::coroutine_handle<promise_type>::from_promise(*this)};}std::"
     "suspend_always initial_suspend(){return{};}std::suspend_always "
     "final_suspend()noexcept{return{};}std::suspend_always yield_value(int x){v=x;return{};}void "
     "return_void(){}void unhandled_exception(){}};std::coroutine_handle<promise_type>h;};\nstatic "
     "G gen(int n){for(int i=0;i<n;i++)co_yield i*2;}\nextern \"C\" int run(){G g=gen(4);int "
     "s=0;while(g.h.resume(),!g.h.done())s+=g.h.promise().v;g.h.destroy();return s;}\n",
     12,
     {{"i*2", "i*3", 18}, {"gen(4)", "gen(6)", 45}}},
    {"complexinit",
     "#include <map>\n#include <string>\nstatic const "
     "std::map<std::string,int>m={{\"a\",1},{\"b\",2}};\nextern \"C\" int run(){return "
     "m.at(\"a\")*10+m.at(\"b\");}\n",
     12,
     {{"*10", "*20", 22}, {"m.at(\"b\");", "m.at(\"b\")*3;", 26}}},
    {"std_string",
     "#include <string>\n#include <sstream>\nstatic std::string s(int n){std::ostringstream "
     "o;o<<n<<\"-\"<<n*2;return o.str();}extern \"C\" int run(){return int(s(12).size());}\n",
     5,
     {{"<<\"-\"<<", "<<\"---\"<<", 7}, {"n*2", "n*20", 8}}},
    {"uniqptr",
     "#include <memory>\nstruct N{int v;std::unique_ptr<N>n;};static std::unique_ptr<N>mk(int "
     "d){auto p=std::make_unique<N>();p->v=d;if(d)p->n=mk(d-1);return p;}extern \"C\" int "
     "run(){int s=0;auto p=mk(4);for(N*q=p.get();q;q=q->n.get())s+=q->v;return s;}\n",
     10,
     {{"s+=q->v", "s+=q->v*q->v", 30}, {"p->v=d", "p->v=d+1", 55}, {"mk(4)", "mk(6)", 140}}},
    {"varianttuple",
     "#include <variant>\n#include <tuple>\nstatic int vis(std::variant<int,double>v){return "
     "std::visit([](auto x){return int(x*2);},v);}extern \"C\" int "
     "run(){auto[a,b]=std::make_tuple(1,2);return vis(3)+vis(1.5)+a+b;}\n",
     12,
     {{"x*2", "x*4", 21},
      {"vis(1.5)", "vis(2.5)", 25},
      {"make_tuple(1,2)", "make_tuple(5,2)", 29}}},
    {"modulectl",
     "#include <mutex>\n#include <atomic>\nstatic std::once_flag o;static "
     "std::atomic<int>n{0};extern \"C\" int run(){std::call_once(o,[]{n=5;});return n.load();}\n",
     5,
     {{"n.load()", "n.load()*2", 10}}},
};

static void save(editing *e, const char *text, int value, const char *name)
{
    const kiln_reload_options accept = {.size = sizeof accept, .accept_layouts = true};
    kiln_error *error = NULL;
    write_file(e->path, text);
    CHECK_STATUS(kiln_library_reload(e->library, &accept, NULL, &error), KILN_OK, &error);
    if (edit_int(e, "run") != value)
        support_fail(__FILE__, __LINE__, "%s: run() is %d, not %d, of:\n%s", name,
                     edit_int(e, "run"), value, text);
}

static void edit_construct(const construct *construct, const char *extension)
{
    static const char *const of_both[] = {"-w", "-O1", "-g", NULL};
    static const char *const cxx_alone[] = {"-std=c++20", NULL};
    char *texts[steps_at_most + 1] = {strdup(construct->text)};
    int values[steps_at_most + 1] = {construct->value}, count = 0;
    editing e = {.path = scratch("lib.%s", extension)};
    write_file(e.path, construct->text);
    kiln_spec *spec = spec_of_file("lib", e.path);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, of_both);
    if (strcmp(extension, "cpp") == 0)
        kiln_spec_add_arguments(spec, KILN_PRIVATE, cxx_alone);
    edit_begin_spec(&e, spec);
    CHECK_INT(edit_int(&e, "run"), construct->value);
    for (; count < steps_at_most && construct->steps[count].from; count++) {
        const step *step = &construct->steps[count];
        texts[count + 1] = replaced(texts[count], step->from, step->to);
        values[count + 1] = step->value;
        save(&e, texts[count + 1], step->value, construct->name);
    }
    for (int i = count; i-- > 0;)
        save(&e, texts[i], values[i], construct->name);
    for (int i = 0; i <= count; i++)
        free(texts[i]);
    edit_end(&e);
}

TEST(constructs_of_c)
{
    for (size_t i = 0; i < sizeof of_c / sizeof *of_c; i++)
        edit_construct(&of_c[i], "c");
}

TEST(constructs_of_cxx)
{
    for (size_t i = 0; i < sizeof of_cxx / sizeof *of_cxx; i++)
        edit_construct(&of_cxx[i], "cpp");
}

TEST(constructs_of_the_library)
{
    for (size_t i = 0; i < sizeof of_library / sizeof *of_library; i++)
        edit_construct(&of_library[i], "cpp");
}
