# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_amaters_server_global_optspecs
    string join \n config= allow-unknown h/help V/version
end

function __fish_amaters_server_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_amaters_server_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_amaters_server_using_subcommand
    set -l cmd (__fish_amaters_server_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c amaters-server -n "__fish_amaters_server_needs_command" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_needs_command" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -s V -l version -d 'Print version'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "stop" -d 'Stop the server and wait until it is gone'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "reload" -d 'Have the server read its configuration again, and print what came of it'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "status" -d 'Say how the server is: Running (exit status 0), Stopped (3, or 1 if it did not end well), Not answering (150), Unknown (4)'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "validate-config" -d 'Read and check the configuration and the files that it names; exit status 1 if it is refused'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "doctor" -d 'Say whether this machine grants what the server needs; exit status 1 if it would not start'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "check" -d 'Read all files of a data directory that is not in use; exit status 4 if some are damaged'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "reshard" -d 'Spread the entries of a data directory that is not in use over another number of shards'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "restore" -d 'Put a backup in the place of what a data directory that is not in use holds, or make one of it'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "verify" -d 'Read every byte of a backup and of all that it rests on; exit status 4 if something is damaged'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "version" -d 'Print the version'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "start" -d 'Serve until SIGTERM or SIGINT, in the foreground or as a daemon'
complete -c amaters-server -n "__fish_amaters_server_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand stop" -l timeout -d 'Wait so long; by default server.shutdown_timeout_secs and 30 more' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand stop" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand stop" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand stop" -l force -d 'Kill the server if it is not gone by then; what is not synced is lost as in a crash'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand stop" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand stop" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reload" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reload" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reload" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reload" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand status" -s f -l format -d 'How to say it' -r -f -a "text\t'One word, and some lines about it'
json\t'One object'"
complete -c amaters-server -n "__fish_amaters_server_using_subcommand status" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand status" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand status" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l bind -d 'Listen here (server.bind_address)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l log-level -d 'Log lines from this level up (logging.level)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l cores -d 'Reactors: how many, as 2, or on which CPUs, as 0-3,5 (server.cores)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l show -d 'Print the values in force, secrets left out'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l origins -d 'Print with each value which layer it comes from'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l bind-check -d 'Try also whether the addresses can be listened on'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand validate-config" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand doctor" -l bind -d 'Listen here (server.bind_address)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand doctor" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand doctor" -l log-level -d 'Log lines from this level up (logging.level)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand doctor" -l cores -d 'Reactors: how many, as 2, or on which CPUs, as 0-3,5 (server.cores)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand doctor" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand doctor" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand check" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand check" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand check" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand check" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reshard" -l shards -d 'How many' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reshard" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reshard" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reshard" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand reshard" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -l shards -d 'Shards of the data directory; by default as many as it has, or one for each CPU' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -l collection -d 'Where the keys of a backup of schema version 1 go, which has no collections' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -l replace -d 'Throw away what the data directory holds'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -l dry-run -d 'Read and check everything, and write nothing'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand restore" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand verify" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand verify" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand verify" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand version" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand version" -l verbose -d 'With build profile and components'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand version" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand version" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l bind -d 'Listen here (server.bind_address)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l data-dir -d 'The data directory (server.data_dir)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l log-level -d 'Log lines from this level up (logging.level)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l cores -d 'Reactors: how many, as 2, or on which CPUs, as 0-3,5 (server.cores)' -r
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l config -d 'Read this configuration file; without it, none is read' -r -F
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l generate-config -d 'Write a default configuration file first, unless there is one: to the path of --config, or to amaters-server.toml, which is then read'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l daemon -d 'Serve in the background; return when the server is ready or has failed'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -l allow-unknown -d 'Warn of keys that do not exist, and leave them alone, instead of refusing them'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand start" -s h -l help -d 'Print help'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "stop" -d 'Stop the server and wait until it is gone'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "reload" -d 'Have the server read its configuration again, and print what came of it'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "status" -d 'Say how the server is: Running (exit status 0), Stopped (3, or 1 if it did not end well), Not answering (150), Unknown (4)'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "validate-config" -d 'Read and check the configuration and the files that it names; exit status 1 if it is refused'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "doctor" -d 'Say whether this machine grants what the server needs; exit status 1 if it would not start'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "check" -d 'Read all files of a data directory that is not in use; exit status 4 if some are damaged'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "reshard" -d 'Spread the entries of a data directory that is not in use over another number of shards'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "restore" -d 'Put a backup in the place of what a data directory that is not in use holds, or make one of it'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "verify" -d 'Read every byte of a backup and of all that it rests on; exit status 4 if something is damaged'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "version" -d 'Print the version'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "start" -d 'Serve until SIGTERM or SIGINT, in the foreground or as a daemon'
complete -c amaters-server -n "__fish_amaters_server_using_subcommand help; and not __fish_seen_subcommand_from stop reload status validate-config doctor check reshard restore verify version start help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
