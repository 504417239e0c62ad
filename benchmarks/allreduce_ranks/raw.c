/* MPI_Allreduce as a program in C has it: one call for each tensor. Prints a line of seconds for each case.
 *
 *     mpirun -np 2 raw STEPS SIZES...        SIZES: elements of a case's tensors, joined by commas
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words) {
  int rank;
  MPI_Init(&count, &words);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  for (int word = 2; word < count; ++word) {
    int tensors = 0, sizes[512];
    long largest = 0;
    for (char *size = strtok(words[word], ","); size; size = strtok(NULL, ",")) sizes[tensors++] = atoi(size);
    float *given[512], *made[512];
    for (int index = 0; index < tensors; ++index) {
      given[index] = malloc(sizeof(float) * sizes[index]);
      made[index] = malloc(sizeof(float) * sizes[index]);
      for (int at = 0; at < sizes[index]; ++at) given[index][at] = made[index][at] = 1;
      if (sizes[index] > largest) largest = sizes[index];
    }
    int steps = atoi(words[1]) * (largest < 100000 ? 10 : 1);
    double *took = malloc(sizeof(double) * steps);
    for (int step = 0; step < steps; ++step) {
      double begin = MPI_Wtime();
      for (int index = 0; index < tensors; ++index) {
        MPI_Allreduce(given[index], made[index], sizes[index], MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      }
      took[step] = MPI_Wtime() - begin;
    }
    if (rank == 0) printf("STEPS raw %d", word - 2);
    for (int step = 0; rank == 0 && step < steps; ++step) printf(" %.9f", took[step]);
    if (rank == 0) printf("\n");
    free(took);
    for (int index = 0; index < tensors; ++index) {
      free(given[index]);
      free(made[index]);
    }
  }
  MPI_Finalize();
  return 0;
}
