#include "nccl/libraries.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>

#include <vector>

namespace ddl {
namespace {

std::vector<std::string>& extra_search_paths() {
  static std::vector<std::string> folders;
  return folders;
}

// The added directories, and the `site-packages` (Debian: `dist-packages`) that this process's libraries were loaded
// from.
std::vector<std::string> search_paths() {
  std::vector<std::string> folders = extra_search_paths();
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* found) {
        const std::string path = info->dlpi_name ? info->dlpi_name : "";
        for (const char* name : {"/site-packages/", "/dist-packages/"}) {
          const size_t at = path.find(name);
          if (at == std::string::npos) continue;
          const std::string folder = path.substr(0, at) + name;
          auto& all = *static_cast<std::vector<std::string>*>(found);
          if (all.empty() || all.back() != folder) all.push_back(folder);
        }
        return 0;
      },
      &folders);
  return folders;
}

// The library that the process has loaded already (a framework's); then the system's search path (LD_LIBRARY_PATH);
// then NVIDIA's wheels, which are installed beside the framework's, where only the framework looks.
void* open(const std::string& file, std::string* why) {
  if (void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD)) return library;
  if (void* library = dlopen(file.c_str(), RTLD_NOW)) return library;
  *why = dlerror();
  for (const std::string& folder : search_paths()) {
    glob_t found = {};
    void* library = nullptr;
    if (glob((folder + "nvidia/*/lib/" + file).c_str(), 0, nullptr, &found) == 0) {
      library = dlopen(found.gl_pathv[0], RTLD_NOW);
      if (!library) *why = dlerror();
    }
    globfree(&found);
    if (library) return library;
  }
  return nullptr;
}

template <class Function>
bool resolve(void* library, const char* name, Function* function, std::string* why) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  if (!*function) *why = dlerror();
  return *function != nullptr;
}

}  // namespace

void add_search_path(const std::string& folder) { extra_search_paths().push_back(folder + "/"); }

#define DDL_RESOLVE(name) &&resolve(library, #name, &functions.name, why)

const Cuda* cuda(std::string* why) {
  static Cuda functions;
  static std::string error_text;
  static const bool loaded = [](std::string* why) {
    // Since CUDA 12 the library's name has only the major version.
    void* library = open("libcudart.so." + std::to_string(CUDART_VERSION / 1000), why);
    return library DDL_CUDA_FUNCTIONS(DDL_RESOLVE);
  }(&error_text);
  *why = error_text;
  return loaded ? &functions : nullptr;
}

const Nccl* nccl(std::string* why) {
  static Nccl functions;
  static std::string error_text;
  static const bool loaded = [](std::string* why) {
    void* library = open("libnccl.so." + std::to_string(NCCL_MAJOR), why);
    return library DDL_NCCL_FUNCTIONS(DDL_RESOLVE);
  }(&error_text);
  *why = error_text;
  return loaded ? &functions : nullptr;
}

#undef DDL_RESOLVE

}  // namespace ddl
