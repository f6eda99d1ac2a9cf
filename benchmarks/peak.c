/* Multiply-adds per second of registers alone: no memory, no library.  ./peak THREADS MILLIONS
   Prints GFLOP/s of all threads together, by the clock on the wall. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
enum { WIDTH = 16 };
#elif defined(__AVX__)
enum { WIDTH = 8 };
#else
enum { WIDTH = 4 };
#endif
typedef float Vector __attribute__((vector_size(4 * WIDTH)));

/* Chains that do not wait for one another: enough to keep all units busy (two units, a latency of
   four or five), few enough for sixteen registers. Written out, as an array would be in memory. */
enum { CHAINS = 12 };
#define EACH(DO) DO(a) DO(b) DO(c) DO(d) DO(e) DO(f) DO(g) DO(h) DO(i) DO(j) DO(k) DO(l)
#define START(x) Vector x = zero + (float)(#x[0]);
#define STEP(x) x = x * factor + term;
#define ADD(x) total += x[0];

static long rounds;

static void *work(void *sum) {
  Vector zero = {0}, factor = zero + 0.999f, term = zero + 0.001f;
  float total = 0;
  EACH(START)
  for (long round = 0; round < rounds; round++) { EACH(STEP) }
  EACH(ADD)
  *(float *)sum = total; /* so that nothing is left out */
  return NULL;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int threads = atoi(arguments[1]);
  rounds = atol(arguments[2]) * 1000000;
  pthread_t thread[threads];
  float sum[threads];
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int n = 0; n < threads; n++)
    if (pthread_create(&thread[n], NULL, work, &sum[n])) return 1;
  for (int n = 0; n < threads; n++) pthread_join(thread[n], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = (end.tv_sec - start.tv_sec) + 1e-9 * (end.tv_nsec - start.tv_nsec);
  fprintf(stderr, "%g\n", sum[0]);
  printf("%.3f\n", 2.0 * WIDTH * CHAINS * rounds * threads / seconds / 1e9);
  return 0;
}
