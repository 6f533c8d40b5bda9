# Counts the words of a file, the most frequent first: `ruby - FILE`.
counts = File.read(ARGV.fetch(0)).downcase.scan(/[[:alpha:]]+/).tally
counts.sort_by { |word, count| [-count, word] }.each { |word, count| puts "#{count} #{word}" }
