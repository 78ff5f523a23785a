// Maildir folders: which directory an address has, and delivering a file into it so that it is there for
// good.
//
// A delivery is durable when commit() has returned: the file is flushed under tmp/, renamed into new/, and
// that directory is flushed. Its name is chosen by the caller; a second delivery under the same name replaces
// the first, which is what makes delivering again after a crash harmless (while the mail reader has not moved
// the file to cur/).
//
// Thread safety: the functions may be called from any thread; a delivery belongs to one thread.
#pragma once

#include <mta/error.hpp>

#include <string>
#include <string_view>

namespace maildir {

/// `pattern` with %u (local part), %d (domain), %% replaced. Each is made one safe path component: lower
/// case; bytes other than letters, digits and "_+=,-." become %XX, so do leading dots; over-long ones end in
/// a hash. An address without a domain has the domain "localhost".
std::string directory_for(std::string_view pattern, std::string_view address);

/// One file on its way into a folder. Destroyed without commit(), it leaves nothing behind.
class delivery {
 public:
  /// Makes the folder if it is missing. `name`: of the file in new/. Errors: the system's.
  static mta::result<delivery> start(std::string folder, std::string name);

  mta::result<> write(std::string_view bytes);
  /// After success the file is in new/ and survives a power failure.
  mta::result<> commit();

  delivery(delivery&&) noexcept;
  delivery& operator=(delivery&&) = delete;
  ~delivery();

 private:
  delivery(std::string folder, std::string name, int descriptor);
  mta::result<> write_out();
  std::string temporary() const { return folder_ + "/tmp/" + name_; }

  std::string folder_, name_, buffer_;
  int descriptor_;
};

}  // namespace maildir
